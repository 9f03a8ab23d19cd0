export type { Http2TransportOptions, KnownChannelOptions, TlsOptions } from './options.js';
export { http2Transport } from './transport.js';
