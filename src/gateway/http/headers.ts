import type { IncomingMessage } from 'node:http';
import { Metadata, type MetadataValue } from '@grpc/grpc-js';
import { badRequest } from '../errors.js';

/** Marks metadata among HTTP headers, both ways (grpc-gateway, runtime/mux.go). */
const PREFIX = 'grpc-metadata-';
/** Marks a call's trailing metadata among HTTP trailers, as grpc-gateway does. */
const TRAILER_PREFIX = 'grpc-trailer-';

/** Headers of one connection (RFC 9110, 7.6.1), and those that frame or address a message: they mean nothing beyond it. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers that grpc-gateway passes on as `grpcgateway-*`: those that say something of the request to whoever handles it. */
const OF_THE_REQUEST = new Set([
  'accept',
  'accept-charset',
  'accept-language',
  'authorization',
  'cache-control',
  'content-type',
  'cookie',
  'date',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-schedule-tag-match',
  'if-unmodified-since',
  'max-forwards',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'warning',
]);

const KEY = /^[0-9a-z_.-]+$/;
const PRINTABLE = /^[ -~]*$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/**
 * The metadata that goes with a call for an HTTP request: what came as `Grpc-Metadata-*`; `authorization` as it is; where
 * the request came from, as `x-forwarded-for` and `x-forwarded-host`; and what else HTTP says of a request as
 * `grpcgateway-*`. As grpc-gateway has it, but that no name that gRPC, a connection or the gateway owns gets through.
 *
 * @throws RequestError 400 for a name or a value that metadata cannot have, and for two hosts.
 */
export function callMetadata({ rawHeaders, headers, socket }: IncomingMessage): Metadata {
  const metadata = new Metadata();
  const dropped = connectionOptions(headers.connection);
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const value = rawHeaders[i + 1]!;
    // Whoever stands before the gateway may have read another one than Node (RFC 9112, 3.2).
    if (name === 'host' && ++hosts > 1) throw badRequest('there is more than one Host header');
    if (dropped?.has(name)) continue;
    if (name.startsWith(PREFIX)) {
      const key = name.slice(PREFIX.length);
      if (mayPass(key) && !isOfTheGateway(key)) metadata.add(key, metadataValue(name, key, value));
    } else if (OF_THE_REQUEST.has(name) && PRINTABLE.test(value)) {
      if (name === 'authorization') metadata.add(name, value);
      metadata.add(`grpcgateway-${name}`, value);
    }
  }
  const { host, 'x-forwarded-for': before, 'x-forwarded-host': forwardedHost = host } = headers;
  const address = socket.remoteAddress;
  if (address !== undefined) {
    metadata.set(FORWARDED_FOR, before && PRINTABLE.test(String(before)) ? `${before}, ${address}` : address);
  }
  if (forwardedHost && PRINTABLE.test(String(forwardedHost)))
    metadata.set(FORWARDED_HOST, String(forwardedHost));
  return metadata;
}

const FORWARDED_FOR = 'x-forwarded-for';
const FORWARDED_HOST = 'x-forwarded-host';

/** What the gateway says of a request is for it to say: a server may believe it. */
function isOfTheGateway(key: string): boolean {
  return key.startsWith('grpcgateway-') || key === FORWARDED_FOR || key === FORWARDED_HOST;
}

/** The headers that a `Connection` header names; undefined for the usual ones, which name none. */
function connectionOptions(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}

function mayPass(key: string): boolean {
  return !key.startsWith('grpc-') && !OF_THE_CONNECTION.has(key);
}

function metadataValue(header: string, key: string, value: string): MetadataValue {
  if (!KEY.test(key)) {
    throw badRequest(
      `the header ${header} cannot be metadata: its name has other characters than a-z 0-9 _ . -`,
    );
  }
  if (key.endsWith('-bin')) {
    if (!BASE64.test(value)) throw badRequest(`the header ${header} must be base64`);
    return Buffer.from(value, 'base64');
  }
  if (!PRINTABLE.test(value)) throw badRequest(`the header ${header} must be printable ASCII`);
  return value;
}

/** Adds metadata to the headers of an answer: binary values in base64, several of a key joined by commas. */
export function responseHeaders(metadata: Metadata, headers: Record<string, string>): void {
  addPrefixed(PREFIX, metadata, headers);
}

/** Trailing metadata as HTTP trailers. */
export function responseTrailers(metadata: Metadata): Record<string, string> {
  const trailers: Record<string, string> = {};
  addPrefixed(TRAILER_PREFIX, metadata, trailers);
  return trailers;
}

function addPrefixed(prefix: string, metadata: Metadata, into: Record<string, string>): void {
  const all = metadata.toJSON() as Readonly<Record<string, readonly MetadataValue[]>>;
  for (const key in all) {
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

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The time that `Grpc-Timeout` gives a request, in milliseconds; undefined without that header. Its form is that of
 * gRPC over HTTP/2: at most eight digits, and a unit.
 *
 * @throws RequestError 400 for any other.
 */
export function timeoutOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['grpc-timeout'];
  if (text === undefined) return undefined;
  const match = TIMEOUT.exec(String(text));
  if (match === null) throw badRequest(`invalid grpc-timeout: ${String(text)}`);
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}
