import type { Metadata, MetadataValue } from '@grpc/grpc-js';
import { METADATA_PREFIX, mayPass } from './call-metadata.js';

/** Marks a call's trailing metadata among HTTP trailers, as grpc-gateway does. */
const TRAILER_PREFIX = 'grpc-trailer-';

/** Adds metadata to the headers of an answer: binary values in base64, several of a key joined by commas. */
export function responseHeaders(metadata: Metadata, headers: Record<string, string>): void {
  addPrefixed(METADATA_PREFIX, metadata, headers);
}

/** Trailing metadata as HTTP trailers. */
export function responseTrailers(metadata: Metadata): Record<string, string> {
  const trailers: Record<string, string> = {};
  addPrefixed(TRAILER_PREFIX, metadata, trailers);
  return trailers;
}

function addPrefixed(prefix: string, metadata: Metadata, into: Record<string, string>): void {
  const all = metadata.toJSON() as Readonly<Record<string, readonly MetadataValue[]>>;
  for (const key of Object.keys(all)) {
    if (key !== 'content-type' && !mayPass(key)) continue;
    const name = prefix + key;
    for (const value of all[key]!) {
      const text = typeof value === 'string' ? value : value.toString('base64');
      // A key may come in the headers and in the trailers of one call.
      const before = into[name];
      into[name] = before === undefined ? text : `${before}, ${text}`;
    }
  }
}
