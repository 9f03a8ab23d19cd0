import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  credentials as grpcCredentials,
} from '@grpc/grpc-js';
import { authorityOf } from '../../../base/authority.js';
import type { Clock } from '../../../base/clock.js';
import type { Endpoint } from '../../../base/endpoint.js';
import { TrackedCredentials } from '../../../base/grpc-js/tracked-credentials.js';
import type { Transport } from '../transport.js';
import { CHANNEL_OPTIONS } from './channel-options.js';
import { GrpcConnection } from './connection.js';

export interface GrpcTransportOptions {
  readonly clock: Clock;
  /** Default: insecure. */
  readonly credentials?: ChannelCredentials | ((endpoint: Endpoint) => ChannelCredentials) | undefined;
  /** Over ours, see {@link CHANNEL_OPTIONS}. */
  readonly channelOptions?: ClientOptions | undefined;
}

/** Connections by grpc-js: one client each. */
export function grpcTransport(options: GrpcTransportOptions): Transport {
  return (endpoint, listener) => {
    const { credentials } = options;
    const forEndpoint = typeof credentials === 'function' ? credentials(endpoint) : credentials;
    const tracked = new TrackedCredentials(forEndpoint ?? grpcCredentials.createInsecure());
    const client = new Client(endpoint.address, tracked, {
      ...CHANNEL_OPTIONS,
      ...nameOptions(endpoint),
      ...options.channelOptions,
    });
    return new GrpcConnection(endpoint.address, client, tracked, options.clock, listener);
  };
}

/** An endpoint that was found by a name is dialled by its IP, and called by that name. */
function nameOptions(endpoint: Endpoint): ClientOptions {
  const name = authorityOf(endpoint);
  if (name === undefined) return {};
  return { 'grpc.default_authority': name.authority, 'grpc.ssl_target_name_override': name.serverName };
}
