import type { ClientOptions } from '@grpc/grpc-js';

/**
 * What a client of its own for each address wants of grpc-js 1.14:
 * - subchannels of its own: the global pool never forgets a key, and would share a stuck connection;
 * - no retries inside: they go to the same backend, and refused streams must surface here;
 * - no channelz and no service config from DNS: work that nobody reads;
 * - keepalive pings while calls are pending, just rarer than the five minutes for which grpc-go's servers, by default,
 *   answer `too_many_pings` (google.golang.org/grpc/keepalive, EnforcementPolicy.MinTime);
 * - no idling: the pool decides what is connected (the largest timeout that a timer takes).
 */
export const CHANNEL_OPTIONS: ClientOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_time_ms': 310_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
};
