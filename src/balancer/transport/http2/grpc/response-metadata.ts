import { Metadata } from '@grpc/grpc-js';
import type { Fields } from '../hpack/fields.js';

/**
 * Fields as metadata, as grpc-js has it: several values of a name become one, joined as node:http2 joins them, but for
 * binary ones; what cannot be metadata is left out.
 */
export function metadataOf({ names, values }: Fields, without: ReadonlySet<string>): Metadata {
  const metadata = new Metadata();
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (name.startsWith(':') || without.has(name)) continue;
    try {
      add(metadata, name, values[i]!);
    } catch {
      // A name or a value that grpc-js does not allow: beyond ASCII, say.
    }
  }
  return metadata;
}

function add(metadata: Metadata, name: string, value: string): void {
  if (name.endsWith('-bin')) {
    // Padded or not; several may stand in one value (PROTOCOL-HTTP2.md, "Binary-Header").
    for (const one of value.split(',')) metadata.add(name, Buffer.from(one.trim(), 'base64'));
    return;
  }
  const [before] = metadata.get(name);
  if (before === undefined || name === 'set-cookie') metadata.add(name, value);
  else if (!SINGLE.has(name))
    metadata.set(name, `${String(before)}${name === 'cookie' ? '; ' : ', '}${value}`);
}

/** Of which node:http2 takes the first, where there are several. */
const SINGLE: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-encoding',
  'content-length',
  'content-location',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'user-agent',
]);

/** Said by the status already. */
export const NOT_IN_STATUS: ReadonlySet<string> = new Set(['grpc-status', 'grpc-message']);
/** Said to the transport. */
export const NOT_IN_HEADERS: ReadonlySet<string> = new Set(['grpc-encoding', 'grpc-accept-encoding']);
