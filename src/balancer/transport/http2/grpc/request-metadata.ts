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
/** As grpc-js says it. */
const ONE_AUTHORIZATION = '"authorization" metadata cannot have multiple values';

/** Metadata as they are sent: names and values in turn. */
export type CustomFields = readonly string[];

/** Why metadata cannot be sent. */
export class MetadataFault {
  constructor(readonly details: string) {}
}

const NONE: CustomFields = Object.freeze([]);

/** What is sent of metadata, as they are now; or why they cannot be. */
export function customFields(metadata: Metadata): CustomFields | MetadataFault {
  const entries = entriesOf(metadata);
  if (entries.size === 0) return NONE;
  const fields: string[] = [];
  for (const [name, values] of entries) {
    const details = faultOf(name, values);
    if (details !== undefined) return new MetadataFault(details);
    for (const value of values) fields.push(name, typeof value === 'string' ? value : base64(value));
  }
  return fields;
}

/** Those of a call and those of its credentials. */
export function merged(fields: CustomFields, more: CustomFields): CustomFields | MetadataFault {
  const all = [...fields, ...more];
  const names = all.filter((_, at) => at % 2 === 0);
  return names.indexOf('authorization') === names.lastIndexOf('authorization')
    ? all
    : new MetadataFault(ONE_AUTHORIZATION);
}

export function writeCustom(encoder: Encoder, fields: CustomFields): void {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    if (SECRET.has(name) || name.endsWith('-bin')) encoder.never(name, fields[i + 1]!);
    else encoder.plain(name, fields[i + 1]!);
  }
}

/** What they count as HTTP/2 counts (RFC 9113, section 6.5.2). */
export function sizeOf(fields: CustomFields): number {
  let size = 0;
  for (let i = 0; i < fields.length; i += 2) size += fieldSize(fields[i]!, fields[i + 1]!);
  return size;
}

/** The entries of metadata. grpc-js gives no other way to them that makes no copies; `toJSON` is public, and stands in. */
function entriesOf(metadata: Metadata): ReadonlyMap<string, Values> {
  const { internalRepr } = metadata as unknown as { internalRepr: unknown };
  return internalRepr instanceof Map ? internalRepr : new Map(Object.entries(metadata.toJSON()));
}

function faultOf(name: string, values: Values): string | undefined {
  const shown = JSON.stringify(name);
  if (RESERVED.has(name) || name.startsWith(':') || (name.startsWith('grpc-') && !ALLOWED_OF_GRPC.has(name)))
    return `metadata ${shown} is reserved: gRPC and HTTP/2 say it themselves; leave it out`;
  if (!NAME.test(name)) return `metadata name ${shown} has other characters than 0-9 a-z _ . -`;
  if (name === 'authorization' && values.length > 1) return ONE_AUTHORIZATION;
  const binary = name.endsWith('-bin');
  for (const value of values) {
    if (Buffer.isBuffer(value) !== binary)
      return `metadata ${shown} is ${binary ? 'text' : 'bytes'}: bytes go with names that end with -bin, and only there`;
    if (!binary && !VALUE.test(value as string))
      return `metadata ${shown} has a value with other characters than printable ASCII`;
  }
  return undefined;
}

/** Without padding, as PROTOCOL-HTTP2.md would have it sent. */
function base64(bytes: Buffer): string {
  const text = bytes.toString('base64');
  const end = text.indexOf('=');
  return end === -1 ? text : text.slice(0, end);
}
