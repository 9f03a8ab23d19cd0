import {
  DEFAULT_WEIGHT,
  type Endpoint,
  isWeight,
  isWildcard,
  splitHostPort,
  WEIGHTS,
} from '../../base/endpoint.js';
import { printable } from '../../base/printable.js';

/**
 * How an endpoint is written. No one form is read by all Go clients:
 * - `plain`: its bare address, which wwcd/grpc-lb and go-zero read; it has no room for attributes;
 * - `naming`: the JSON of etcd's own Go package (`naming/endpoints`, with attributes or without);
 * - `auto`: plain while it has no attributes, else naming.
 */
export type ValueFormat = 'plain' | 'naming' | 'auto';

/**
 * What is behind a key, and what is wrong with it: without an endpoint it is to be skipped, with one only a part of it
 * was.
 */
export interface Decoded {
  readonly endpoint?: Endpoint;
  readonly complaint?: string;
}

/** A greater value, in bytes, is not read. (etcd itself takes requests of up to 1.5 MiB.) */
export const MOST_VALUE_BYTES = 2 ** 20;
/** Metadata that is nested deeper is left out. */
const MOST_DEPTH = 32;
/** Of what is quoted in a complaint, in characters. */
const MOST_QUOTED = 80;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The value that announces an endpoint. */
export function encodeValue({ address, weight, metadata }: Endpoint, format: ValueFormat = 'auto'): string {
  const Metadata = weight === DEFAULT_WEIGHT ? { ...metadata } : { ...metadata, weight };
  const isBare = Object.keys(Metadata).length === 0;
  if (format === 'plain' || (format === 'auto' && isBare)) return address;
  // `naming.Update`; Op 0 is `Add`.
  return JSON.stringify(isBare ? { Op: 0, Addr: address } : { Op: 0, Addr: address, Metadata });
}

export function encodeKey(key: string): Uint8Array {
  return Buffer.from(key);
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
  if (value.length > MOST_VALUE_BYTES) {
    return { complaint: `its value has ${value.length} bytes, and may have ${MOST_VALUE_BYTES}` };
  }
  let text: string;
  try {
    text = utf8.decode(value);
  } catch {
    return { complaint: 'its value is not UTF-8' };
  }
  if (!text.trimStart().startsWith('{')) {
    const wrong = addressComplaint(text);
    if (wrong !== undefined) return { complaint: `its value ${wrong}` };
    return { endpoint: { id, address: text, weight: DEFAULT_WEIGHT, metadata: {} } };
  }
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
  const wrong = addressComplaint(Addr);
  if (wrong !== undefined) return { complaint: `its Addr ${wrong}` };
  // Go's Metadata is of any type: what has no names says nothing that we could use.
  const attributes =
    typeof Metadata === 'object' && Metadata !== null && !Array.isArray(Metadata) ? Metadata : {};
  const { weight: announced, ...rest } = attributes as Record<string, unknown>;
  const weight = decodeWeight(announced);
  const { metadata, left } = textsOf(rest);
  const endpoint = { id, address: Addr as string, weight: weight ?? DEFAULT_WEIGHT, metadata };
  const complaints: string[] = [];
  if (weight === undefined) {
    complaints.push(`its weight ${quote(announced)} is not ${WEIGHTS}; it counts as 1`);
  }
  if (left !== undefined) {
    complaints.push(`its metadata ${quote(left)} is nested deeper than ${MOST_DEPTH}, and left out`);
  }
  return complaints.length === 0 ? { endpoint } : { endpoint, complaint: complaints.join('; ') };
}

/** Why this is no address to be dialled; undefined for one that is. */
function addressComplaint(address: unknown): string | undefined {
  const parts = typeof address === 'string' ? splitHostPort(address) : undefined;
  if (parts === undefined) return `${quote(address)} is not host:port`;
  return isWildcard(parts.host) ? `${quote(address)} is every address of a machine` : undefined;
}

function decodeWeight(announced: unknown): number | undefined {
  if (announced === undefined || announced === null) return DEFAULT_WEIGHT;
  const weight =
    typeof announced === 'string' && announced.trim() !== '' ? Number(announced.trim()) : announced;
  return isWeight(weight) ? weight : undefined;
}

/** Other writers announce numbers and flags too: they are kept as their JSON. A null is nothing. */
function textsOf(attributes: Record<string, unknown>): { metadata: Record<string, string>; left?: string } {
  const texts: [string, string][] = [];
  let left: string | undefined;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) continue;
    if (typeof value === 'string') texts.push([name, value]);
    else if (isDeeper(value, MOST_DEPTH)) left ??= name;
    else texts.push([name, JSON.stringify(value)]);
  }
  return { metadata: Object.fromEntries(texts), ...(left !== undefined && { left }) };
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}

/** For a message: on one line, no longer than that, and nothing in it that a terminal obeys. */
export function quote(value: unknown, most = MOST_QUOTED): string {
  if (typeof value === 'object' && value !== null) {
    const inner = Object.keys(value).length === 0 ? '' : '...';
    return Array.isArray(value) ? `[${inner}]` : `{${inner}}`;
  }
  if (typeof value !== 'string') return String(value);
  return printable(JSON.stringify(value.length > most ? `${value.slice(0, most)}...` : value));
}
