import type { Metadata } from '@grpc/grpc-js';
import { unsendable } from '../../sendable.js';
import { fieldSize } from '../hpack/dynamic-table.js';
import type { Encoder } from '../hpack/encoder.js';

type Values = readonly (string | Buffer)[];

/** What gRPC says itself: what a caller says of it is passed over, as grpc-js does. */
const OWN: ReadonlySet<string> = new Set([
  'accept-encoding',
  'content-type',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-timeout',
  'user-agent',
]);
/** Nobody on the way may remember them. */
const SECRET: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie']);
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
  const details = unsendable(metadata);
  if (details !== undefined) return new MetadataFault(`the call cannot be sent: ${details}`);
  for (const [name, values] of entries) {
    if (OWN.has(name)) continue;
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

/** Without padding, as PROTOCOL-HTTP2.md would have it sent. */
function base64(bytes: Buffer): string {
  const text = bytes.toString('base64');
  const end = text.indexOf('=');
  return end === -1 ? text : text.slice(0, end);
}
