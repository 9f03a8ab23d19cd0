import type { Metadata } from '@grpc/grpc-js';
import { fieldSize } from '../hpack/dynamic-table.js';
import type { Encoder } from '../hpack/encoder.js';

type Values = readonly (string | Buffer)[];

/** What gRPC and HTTP/2 say themselves. */
const RESERVED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
/** `grpc-` is reserved (PROTOCOL-HTTP2.md, "Custom-Metadata"), but for what libraries above the transport send. */
const ALLOWED_OF_GRPC: ReadonlySet<string> = new Set([
  'grpc-previous-rpc-attempts',
  'grpc-tags-bin',
  'grpc-trace-bin',
]);
/** Nobody on the way may remember them. */
const SECRET: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie']);
/** What PROTOCOL-HTTP2.md allows, "ASCII-Value", and "Header-Name". */
const VALUE = /^[ -~]*$/;
const NAME = /^[0-9a-z_.-]+$/;

/** The entries of metadata. grpc-js gives no other way to them that makes no copies; `toJSON` is public, and stands in. */
function entriesOf(metadata: Metadata): ReadonlyMap<string, Values> {
  const { internalRepr } = metadata as unknown as { internalRepr: unknown };
  return internalRepr instanceof Map ? internalRepr : new Map(Object.entries(metadata.toJSON()));
}

export function isEmpty(metadata: Metadata): boolean {
  return entriesOf(metadata).size === 0;
}

/** Why metadata cannot be sent; undefined when it can. */
export function metadataFault(metadata: Metadata): string | undefined {
  for (const [name, values] of entriesOf(metadata)) {
    if (RESERVED.has(name) || name.startsWith(':') || (name.startsWith('grpc-') && !ALLOWED_OF_GRPC.has(name)))
      return `metadata ${JSON.stringify(name)} is reserved: gRPC and HTTP/2 say it themselves; leave it out`;
    if (!NAME.test(name))
      return `metadata name ${JSON.stringify(name)} has other characters than 0-9 a-z _ . -`;
    if (name === 'authorization' && values.length > 1)
      return '"authorization" metadata cannot have multiple values';
    for (const value of values) {
      const binary = Buffer.isBuffer(value);
      if (binary !== name.endsWith('-bin'))
        return `metadata ${JSON.stringify(name)} is ${binary ? 'bytes' : 'text'}: bytes go with names that end with -bin, and only there`;
      if (!binary && !VALUE.test(value))
        return `metadata ${JSON.stringify(name)} has a value with other characters than printable ASCII`;
    }
  }
  return undefined;
}

export function writeMetadata(encoder: Encoder, metadata: Metadata): void {
  for (const [name, values] of entriesOf(metadata)) {
    for (const value of values) {
      if (typeof value !== 'string') encoder.never(name, base64(value));
      else if (SECRET.has(name)) encoder.never(name, value);
      else encoder.plain(name, value);
    }
  }
}

/** What it counts as HTTP/2 counts (RFC 9113, section 6.5.2). */
export function metadataSize(metadata: Metadata): number {
  let size = 0;
  for (const [name, values] of entriesOf(metadata)) {
    for (const value of values)
      size += fieldSize(name, typeof value === 'string' ? value : base64(value));
  }
  return size;
}

/** Without padding, as PROTOCOL-HTTP2.md would have it sent. */
function base64(bytes: Buffer): string {
  const text = bytes.toString('base64');
  const end = text.indexOf('=');
  return end === -1 ? text : text.slice(0, end);
}
