import type { IncomingMessage } from 'node:http';
import { Metadata, type MetadataValue } from '@grpc/grpc-js';
import { Status } from '../../base/errors.js';
import { badRequest, RequestError } from '../base/request-error.js';

/** Marks metadata among HTTP headers, both ways (grpc-gateway, runtime/mux.go). */
export const METADATA_PREFIX = 'grpc-metadata-';

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

/**
 * Most that goes with a call: servers of Node.js take 128 headers, a dozen of which are gRPC's, and most servers no more than 64 KiB
 * (`maxHeaderListPairs`, SETTINGS_MAX_HEADER_LIST_SIZE). One that is sent more resets the call, or drops the connection.
 */
const MAX_ENTRIES = 100;
const MAX_BYTES = 60 * 1024;
/** What a header takes beside its name and value (RFC 9113, 6.5.2). */
const ENTRY_BYTES = 32;

function tooMuch(): RequestError {
  const message = `a call has no more than ${MAX_ENTRIES} headers, and ${MAX_BYTES} bytes of them`;
  return new RequestError(431, Status.RESOURCE_EXHAUSTED, message);
}

const KEY = /^[0-9a-z_.-]+$/;
const PRINTABLE = /^[ -~]*$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/**
 * The metadata that goes with a call for an HTTP request: what came as `Grpc-Metadata-*`; `authorization` as it is; where
 * the request came from, as `x-forwarded-for` and `x-forwarded-host`; and what else HTTP says of a request as
 * `grpcgateway-*`. As grpc-gateway has it, but that no name that gRPC, a connection or the gateway owns gets through.
 *
 * What no call can carry, such as two of `authorization`, is refused where a call is started.
 *
 * @throws RequestError 400 for a name or a value that metadata cannot have, and for two hosts; 431 for too many.
 */
export function callMetadata({ rawHeaders, headers, socket }: IncomingMessage): Metadata {
  const metadata = new Metadata();
  let entries = 0;
  let bytes = 0;
  const add = (key: string, value: MetadataValue) => {
    entries++;
    bytes += key.length + value.length + ENTRY_BYTES;
    if (entries > MAX_ENTRIES || bytes > MAX_BYTES) throw tooMuch();
    metadata.add(key, value);
  };
  const dropped = connectionOptions(headers.connection);
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const value = rawHeaders[i + 1]!;
    // Whoever stands before the gateway may have read another one than Node (RFC 9112, 3.2).
    if (name === 'host' && ++hosts > 1) throw badRequest('there is more than one Host header');
    if (dropped?.has(name)) continue;
    if (name.startsWith(METADATA_PREFIX)) {
      const key = name.slice(METADATA_PREFIX.length);
      if (mayPass(key) && !isOfTheGateway(key)) add(key, metadataValue(name, key, value));
    } else if (OF_THE_REQUEST.has(name) && PRINTABLE.test(value)) {
      if (name === 'authorization') add(name, value);
      add(`grpcgateway-${name}`, value);
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

/** A name that neither gRPC nor the connection owns. */
export function mayPass(key: string): boolean {
  return !key.startsWith('grpc-') && !OF_THE_CONNECTION.has(key);
}

function metadataValue(header: string, key: string, value: string): MetadataValue {
  // grpc-js makes keys of an object of them: this one would be lost.
  if (key === '__proto__') throw badRequest(`the header ${header} cannot be metadata`);
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
