import type { Transport } from '../transport.js';
import { Http2Connection } from './connection.js';
import { type Http2TransportOptions, settingsFrom } from './options.js';
import { Shared } from './shared.js';

/**
 * Connections by an HTTP/2 of our own, for `new Pool({ transport: http2Transport({ tls }) })`: at a fraction of what a
 * client of grpc-js takes. `docs/http2-transport.md` says when to choose which.
 *
 * @throws {@link BalancerError} INVALID_OPTION, naming the option, the value and what it must be.
 */
export function http2Transport(options: Http2TransportOptions = {}): Transport {
  const shared = new Shared(settingsFrom(options));
  return (endpoint, listener) => new Http2Connection(endpoint, shared, listener);
}
