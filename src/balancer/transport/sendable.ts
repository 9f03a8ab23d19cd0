import type { Metadata } from '@grpc/grpc-js';
import { BalancerError } from '../../base/errors.js';

/**
 * Headers that belong to a connection (RFC 9113, section 8.2.2), and `content-length`, which nobody knows of a call.
 * `te` says `trailers` in every call.
 */
const RESERVED = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Headers that a request has once at the most, as node:http2 has them (`kSingleValueHeaders`): it throws for a second. */
const SINGLE = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);

/** PROTOCOL-HTTP2.md, Header-Name. */
const NAME = /^[0-9a-z_.-]+$/;
/** PROTOCOL-HTTP2.md, ASCII-Value. */
const VALUE = /^[\x20-\x7e]*$/;

/** What an entry counts beside name and value (RFC 9113, section 6.5.2). */
const ENTRY_BYTES = 32;
/**
 * Most that is sent, in bytes. Servers on nghttp2, those of Node.js among them, take 64 KiB of headers in all, and for one
 * more drop the connection with everybody's calls on it.
 */
const MAX_BYTES = 60 * 1024;

/** What `:path` and `:authority` are made of: node:http2 takes anything, and a NUL would begin another header. */
const PSEUDO = /^[\x21-\x7e]*$/;

/** The headers of a request, as the caller says them. */
export interface RequestHeaders {
  readonly path: string;
  readonly authority?: string | undefined;
  readonly metadata: Metadata;
}

/**
 * Checks that a call can be sent as the headers of a request, before anything of it is done. What can not makes node:http2
 * throw inside grpc-js, which then drops the whole connection with everybody's calls on it.
 *
 * @throws {@link BalancerError} INVALID_METADATA, by the header's name and never its value, which may be a secret.
 */
export function refuseUnsendable({ path, authority, metadata }: RequestHeaders): void {
  if (!PSEUDO.test(path)) throw refusal('the path of the method is not of printable ASCII');
  if (authority !== undefined && !PSEUDO.test(authority))
    throw refusal('the authority is not of printable ASCII');
  const why = unsendable(metadata);
  if (why !== undefined) throw refusal(why);
}

function refusal(why: string): BalancerError {
  return new BalancerError('INVALID_METADATA', `the call cannot be sent: ${why}`);
}

/** What is wrong with metadata, by {@link refuseUnsendable}; undefined when nothing is. */
export function unsendable(metadata: Metadata): string | undefined {
  const headers = metadata.toJSON() as Record<string, readonly unknown[]>;
  let size = 0;
  // It has become the prototype, here as in the headers that are sent: nobody would see that it is missing.
  if (Object.getPrototypeOf(headers) !== Object.prototype) return '"__proto__" is no name of a header';
  for (const name of Object.keys(headers)) {
    const values = headers[name]!;
    if (RESERVED.has(name) || name.startsWith(':')) return `${JSON.stringify(name)} is not metadata's to set`;
    if (!NAME.test(name)) return `${JSON.stringify(name)} is no name of a header`;
    if (values.length > 1 && SINGLE.has(name)) return `${JSON.stringify(name)} has ${values.length} values`;
    const binary = name.endsWith('-bin');
    for (const value of values) {
      if (binary ? !Buffer.isBuffer(value) : typeof value !== 'string' || !VALUE.test(value)) {
        return `${JSON.stringify(name)} has a value that is not ${binary ? 'a Buffer' : 'of printable ASCII'}`;
      }
      const { length } = value as Buffer | string;
      size += name.length + (binary ? Math.ceil(length / 3) * 4 : length) + ENTRY_BYTES;
    }
  }
  return size > MAX_BYTES ? `it is ${size} bytes, and ${MAX_BYTES} can be sent` : undefined;
}
