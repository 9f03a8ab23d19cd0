import { type ClientOptions, compressionAlgorithms, credentials } from '@grpc/grpc-js';
import { http2Transport } from '../../../src/balancer/transport/http2/index.js';
import { Pool, staticRegistry } from '../../../src/index.js';
import type { Run } from '../../support/program.js';

/** What carries the calls. */
export const TRANSPORTS = ['grpc-js', 'http2'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** What makes them: `pool.stub`, or a generated client by `pool.client`. */
export const SURFACES = ['stub', 'client'] as const;
export type SurfaceName = (typeof SURFACES)[number];

/** Every surface over every transport that was asked for. */
export function wanted({ transport: only }: Run) {
  return TRANSPORTS.filter((transport) => only === undefined || transport === only).flatMap((transport) =>
    SURFACES.map((surface) => ({ transport, surface })),
  );
}

/** What a connection is like, whatever carries it. */
export interface WireOptions {
  /** PEM. Without it: plain text. */
  readonly tls?: {
    readonly ca: Buffer;
    readonly cert?: Buffer | undefined;
    readonly key?: Buffer | undefined;
  };
  /** How requests are compressed. Default: not at all. */
  readonly compression?: 'gzip' | 'deflate' | undefined;
  /** Default: grpc-js's. */
  readonly maxReceiveBytes?: number | undefined;
}

/** The options of a channel, as grpc-js names them. */
export function channelOptions({ compression, maxReceiveBytes }: WireOptions): ClientOptions {
  return {
    ...(compression !== undefined && {
      'grpc.default_compression_algorithm': compressionAlgorithms[compression],
    }),
    ...(maxReceiveBytes !== undefined && { 'grpc.max_receive_message_length': maxReceiveBytes }),
  };
}

export function channelCredentials({ tls }: WireOptions) {
  return tls === undefined
    ? credentials.createInsecure()
    : credentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);
}

/** What makes the connections. */
function carrier(transport: TransportName, options: WireOptions) {
  if (transport === 'grpc-js')
    return { credentials: channelCredentials(options), channelOptions: channelOptions(options) };
  const { ca, cert, key } = options.tls ?? {};
  return {
    transport: http2Transport({
      tls: options.tls !== undefined && { ca, ...(cert && { cert }), ...(key && { key }) },
      channelOptions: channelOptions(options),
    }),
  };
}

/** A pool of servers. */
export function poolOf(
  addresses: readonly string[],
  transport: TransportName,
  options: WireOptions = {},
): Pool {
  return new Pool({
    service: 'interop',
    registry: staticRegistry(addresses),
    // What servers are asked to answer with is not their fault.
    outlierDetection: false,
    drainTimeoutMs: 1_000,
    ...carrier(transport, options),
  });
}
