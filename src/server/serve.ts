import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { advertisedAddress, parseListenAddress } from './address.js';
import { type AnnounceOptions, announce, type Serving } from './announce.js';
import { listen } from './listen.js';
import { checkedShutdown } from './shutdown.js';

export interface ServeOptions extends AnnounceOptions {
  /**
   * Where to listen: `host:port`, port 0 for any free one; also `unix:path` where the registrar takes it. In the workers of
   * a cluster (`node:cluster`) all serve on one port, and each announces it (see `RegisterOptions.instance`).
   */
  readonly address: string;
  /**
   * What to announce instead: a host, to which the bound port is added, or `host:port`. Needed when `address` is
   * 0.0.0.0 or [::], which no client can dial, and behind whatever changes addresses on the way.
   */
  readonly advertise?: string;
  /** Default: insecure. */
  readonly credentials?: ServerCredentials;
}

/**
 * Binds a server, announces it once it listens, and takes it out of service in good order: at SIGTERM, SIGINT, SIGHUP
 * or SIGQUIT, or at `close()`, it is unregistered first, then the calls in flight finish.
 *
 * @returns once it listens; `registration` tells when it is announced.
 * @throws BalancerError LISTEN_FAILED (the port is taken, say), INVALID_ADDRESS or INVALID_OPTION.
 */
export async function serve(server: Server, options: ServeOptions): Promise<Serving> {
  const { advertise, credentials = ServerCredentials.createInsecure() } = options;
  const address = parseListenAddress(options.address);
  const announced = advertisedAddress(address, advertise);
  checkedShutdown(options);
  options.health?.addTo(server);
  const bound = await listen(server, address, credentials);
  try {
    return announce(server, { ...options, address: announced(bound.address) });
  } catch (error) {
    bound.unbind();
    throw error;
  }
}
