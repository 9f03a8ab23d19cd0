/**
 * What an HTTP/2 request cannot carry as metadata. node:http2 throws at these when a stream is opened, and grpc-js answers by
 * dropping the connection, with all the calls on it (nodejs lib/internal/http2/util.js, `kSingleValueHeaders` and
 * `isIllegalConnectionSpecificHeader`; RFC 9113, 8.2.2). They must be found before.
 */
const ONCE_ONLY = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
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

const OF_THE_CONNECTION = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** A header of which a request has one at most. */
export function isOnceOnly(name: string): boolean {
  return ONCE_ONLY.has(name);
}

/** A header that no request has, or none under this name: `__proto__` would be lost on the way, in an object's prototype. */
export function isUnsendable(name: string): boolean {
  return OF_THE_CONNECTION.has(name) || name === '__proto__';
}
