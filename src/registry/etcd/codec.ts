import { DEFAULT_WEIGHT, type Endpoint, isWeight, splitHostPort } from '../../base/endpoint.js';

/**
 * What is behind a key, and what is wrong with it: without an endpoint it is to be skipped, with one only a part of it
 * was.
 */
export interface Decoded {
  readonly endpoint?: Endpoint;
  readonly complaint?: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The value that announces an endpoint: its bare address while it has no attributes, which is what the Go program
 * wwcd/grpc-lb writes and reads, else the JSON of etcd's own Go naming package (`naming.Update`; Op 0 is `Add`).
 */
export function encodeValue({ address, weight, metadata }: Endpoint): string {
  const Metadata = weight === DEFAULT_WEIGHT ? { ...metadata } : { ...metadata, weight };
  return Object.keys(Metadata).length === 0 ? address : JSON.stringify({ Op: 0, Addr: address, Metadata });
}

/** A key as text; undefined for one that is not UTF-8, which could not be told from others. */
export function decodeKey(key: Uint8Array): string | undefined {
  try {
    return utf8.decode(key);
  } catch {
    return undefined;
  }
}

/** The endpoint that a value announces, whoever wrote it. */
export function decodeValue(id: string, value: Uint8Array): Decoded {
  let text: string;
  try {
    text = utf8.decode(value);
  } catch {
    return { complaint: 'its value is not UTF-8' };
  }
  if (splitHostPort(text) !== undefined) {
    return { endpoint: { id, address: text, weight: DEFAULT_WEIGHT, metadata: {} } };
  }
  if (!text.trimStart().startsWith('{')) return { complaint: `its value ${quote(text)} is not host:port` };
  let update: unknown;
  try {
    update = JSON.parse(text);
  } catch {
    return { complaint: `its value ${quote(text)} is broken JSON` };
  }
  return decodeUpdate(id, update as Record<string, unknown>);
}

function decodeUpdate(id: string, { Op, Addr, Metadata }: Record<string, unknown>): Decoded {
  if (Op !== undefined && Op !== 0) return { complaint: `its Op ${quote(Op)} is not 0` };
  if (typeof Addr !== 'string' || splitHostPort(Addr) === undefined) {
    return { complaint: `its Addr ${quote(Addr)} is not host:port` };
  }
  // Go's Metadata is of any type: what has no names says nothing that we could use.
  const attributes =
    typeof Metadata === 'object' && Metadata !== null && !Array.isArray(Metadata) ? Metadata : {};
  const { weight: announced, ...rest } = attributes as Record<string, unknown>;
  const weight = decodeWeight(announced);
  const endpoint = { id, address: Addr, weight: weight ?? DEFAULT_WEIGHT, metadata: textsOf(rest) };
  if (weight !== undefined) return { endpoint };
  return {
    endpoint,
    complaint: `its weight ${quote(announced)} is not a number of 0 or more; it counts as 1`,
  };
}

function decodeWeight(announced: unknown): number | undefined {
  if (announced === undefined || announced === null) return DEFAULT_WEIGHT;
  const weight =
    typeof announced === 'string' && announced.trim() !== '' ? Number(announced.trim()) : announced;
  return isWeight(weight) ? weight : undefined;
}

/** Other writers announce numbers and flags too: they are kept as their JSON. A null is nothing. */
function textsOf(attributes: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

/** For a message: as JSON, and not longer than a line. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
