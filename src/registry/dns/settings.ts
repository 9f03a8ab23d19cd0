import { type Clock, systemClock } from '../../base/clock.js';
import { asError, BalancerError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { numberOption, objectOption } from '../../base/options.js';
import { type Random, systemRandom } from '../../base/random.js';
import { type Asker, DnsAsker, type Family, SystemAsker } from './asker.js';

export interface DnsOptions {
  /** DNS servers to ask, `IP` or `IP:port`, IPv6 in brackets with a port. Default: the system's (`/etc/resolv.conf`). */
  readonly servers?: readonly string[];
  /**
   * `dns` asks DNS servers itself: it hears how long an answer is good, and names are absolute. `system` asks the operating
   * system: `/etc/hosts` and search domains count, and there is no SRV. Default `dns`.
   */
  readonly resolver?: 'dns' | 'system';
  /** Only IPv4, or only IPv6. Default: both; a host that has both is two endpoints. */
  readonly family?: 4 | 6;
  /** How often is asked where no time to live is told, in milliseconds. Default 30,000. */
  readonly intervalMs?: number;
  /** The least time to live that is believed, in milliseconds. Default 1,000. */
  readonly minIntervalMs?: number;
  /** The greatest time to live that is believed, in milliseconds. Default 300,000. */
  readonly maxIntervalMs?: number;
  /** How long DNS may take to answer, in milliseconds; twice that for an SRV name and its targets. Default 3,000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Asks instead of DNS; for tests. One is made for each resolution. */
  readonly asker?: () => Asker;
}

const NAMES: Record<keyof DnsOptions, true> = {
  servers: true,
  resolver: true,
  family: true,
  intervalMs: true,
  minIntervalMs: true,
  maxIntervalMs: true,
  timeoutMs: true,
  clock: true,
  random: true,
  logger: true,
  asker: true,
};

/** {@link DnsOptions}, checked and complete. */
export interface DnsSettings {
  readonly asker: () => Asker;
  /** Whether SRV can be asked for. */
  readonly srv: boolean;
  /** What to try when a host has no address. */
  readonly cure: string;
  readonly families: readonly Family[];
  readonly intervalMs: number;
  readonly minIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** @throws BalancerError INVALID_OPTION, naming what cannot be. */
export function dnsSettings(given: DnsOptions): DnsSettings {
  const options = objectOption('the options of a DnsRegistry', given, NAMES);
  const { servers, resolver = 'dns', family } = options;
  if (resolver !== 'dns' && resolver !== 'system') {
    throw new BalancerError(
      'INVALID_OPTION',
      `resolver is ${JSON.stringify(resolver)}, and must be "dns" or "system"`,
    );
  }
  if (family !== undefined && family !== 4 && family !== 6) {
    throw new BalancerError('INVALID_OPTION', `family is ${JSON.stringify(family)}, and must be 4 or 6`);
  }
  if (servers !== undefined && resolver === 'system') {
    throw new BalancerError('INVALID_OPTION', 'servers are given, and resolver "system" asks its own');
  }
  const timeoutMs = numberOption('timeoutMs', options.timeoutMs ?? 3_000, { min: 1 });
  const minIntervalMs = numberOption('minIntervalMs', options.minIntervalMs ?? 1_000, { min: 1 });
  return {
    asker: options.asker ?? (resolver === 'system' ? () => new SystemAsker() : dnsAsker(servers, timeoutMs)),
    srv: resolver === 'dns',
    cure:
      resolver === 'dns'
        ? 'names are absolute: search domains and /etc/hosts count with resolver "system" alone'
        : 'the operating system knows no such name',
    families: family === undefined ? [4, 6] : [family],
    intervalMs: numberOption('intervalMs', options.intervalMs ?? 30_000, { min: minIntervalMs }),
    minIntervalMs,
    maxIntervalMs: numberOption('maxIntervalMs', options.maxIntervalMs ?? 300_000, { min: minIntervalMs }),
    timeoutMs,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom(),
    logger: options.logger ?? silentLogger,
  };
}

function dnsAsker(servers: readonly string[] | undefined, timeoutMs: number): () => Asker {
  if (servers !== undefined && !(Array.isArray(servers) && servers.length > 0)) {
    throw new BalancerError(
      'INVALID_OPTION',
      "servers is no list of one or more addresses; leave it out for the system's",
    );
  }
  const make = () => new DnsAsker(servers, timeoutMs);
  try {
    // What is wrong with a server's address is to show now.
    make();
  } catch (error) {
    throw new BalancerError('INVALID_OPTION', `servers must be IP or IP:port: ${asError(error).message}`, {
      cause: error,
    });
  }
  return make;
}
