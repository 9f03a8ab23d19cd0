import type { Clock } from '../../base/clock.js';
import { inBackground, systemClock } from '../../base/clock.js';
import type { Endpoint } from '../../base/endpoint.js';
import { guardedLogger, type Logger, silentLogger } from '../../base/logger.js';
import {
  booleanOption,
  functionOption,
  numberOption,
  objectOption,
  stringOption,
} from '../../base/options.js';
import { type Random, systemRandom } from '../../base/random.js';
import type { Registry } from '../../registry/registry.js';
import { MASS_REMOVAL_GUARD, MAX_WAITING, POOL_TABLE } from '../core/defaults.js';
import { type OutlierOptions, outlierOptions } from '../core/outlier-options.js';
import { type MethodOptions, Policies } from '../core/policies.js';
import type { RetryBudgetOptions } from '../core/retry-budget.js';
import type { RetryOptions } from '../core/retry-options.js';
import { type PickerName, pickerFactory } from '../pickers/index.js';
import type { PickerFactory } from '../pickers/picker.js';
import type { RemovalGuardOptions } from '../table/removal-guard.js';
import type { TableOptions } from '../table/table-options.js';
import { connectionGroups, type GroupSize } from '../transport/connection-group.js';
import { type GrpcTransportOptions, grpcTransport } from '../transport/grpc-js/transport.js';
import type { Transport } from '../transport/transport.js';
import { pendingLimit } from './pending-limit.js';
import type { PoolHostOptions } from './pool-host.js';

/** What a {@link Pool} is made of. */
export interface PoolOptions {
  /** Where the endpoints are found. */
  readonly registry: Registry;
  /** The name under which they are registered. */
  readonly service: string;
  /** Default `round-robin`. */
  readonly picker?: PickerName | PickerFactory;
  /** For the connections: one for all, or by endpoint. Default: insecure. */
  readonly credentials?: GrpcTransportOptions['credentials'];
  /** grpc-js channel options of every connection, over evenkeel's own. */
  readonly channelOptions?: GrpcTransportOptions['channelOptions'];
  /**
   * How many connections to each address, for servers that limit the streams of one. With `min` (default 1) and `max`,
   * another is made when all that there are have as many calls as their server lets them, where the transport knows that,
   * and closed when it has had none for a minute or two. Default 1.
   */
  readonly connectionsPerAddress?: number | { readonly min?: number; readonly max: number };
  /**
   * Most pending calls on an endpoint, an integer; past it, calls go elsewhere or wait. Default: what its server lets be open
   * at a time, where the transport knows that, and no limit otherwise.
   */
  readonly maxPendingPerEndpoint?: number | ((endpoint: Endpoint) => number);
  /** Most calls that wait; past it they fail with RESOURCE_EXHAUSTED at once. Default 10,000. */
  readonly queue?: { readonly max?: number };
  /** When any call is made again that failed with a server. Default: those of idempotent methods only. */
  readonly retry?: RetryOptions;
  /** What is declared of methods, by `/package.Service/Method` or `/package.Service/*`. */
  readonly methods?: Readonly<Record<string, MethodOptions>>;
  /** How many retries and hedges there may be over all calls. Default: 20 % of the calls and 10 a second. */
  readonly retryBudget?: RetryBudgetOptions;
  /** The deadline of a call that brings none, in milliseconds from its start. Default: none. */
  readonly timeoutMs?: number;
  /** How long the calls of a removed endpoint, or of a closing pool, may go on, in milliseconds. Default 30,000. */
  readonly drainTimeoutMs?: number;
  /**
   * Connects to a part of a big fleet only: `size` endpoints, by random but stable choice; members that fail are made
   * up for. Clients of different seeds choose independently. Default: no subset; seed: random.
   */
  readonly subset?: { readonly size: number; readonly seed?: number };
  /**
   * Keeps endpoints that vanish from the registry too many at once (a wiped store, a delete by mistake) for as long as
   * their connections hold, at most for `graceMs`. `false` believes every removal. Default: on, when fewer than
   * half (`fraction` 0.5) are left of the most announced within 10 s (`windowMs`), that most being 3 or more
   * (`minimum`); `graceMs` 60,000.
   */
  readonly massRemovalGuard?: false | Partial<RemovalGuardOptions>;
  /**
   * Takes endpoints out for a while that fail, or hang: gRFC A50, five failures in a row, and calls far older than the
   * fleet's p99. Not more than half of them are out, ever. `false` ejects nobody. Default: on, with A50's parameters.
   */
  readonly outlierDetection?: false | Partial<OutlierOptions>;
  /**
   * Watches `grpc.health.v1` on every connection and picks only what is SERVING; a server without the service is. `true`
   * asks for the whole server (`service` ''). Default: not watched.
   */
  readonly healthCheck?: boolean | { readonly service: string };
  /** How long a subchannel may be connecting, in milliseconds. Default 20,000. */
  readonly connectTimeoutMs?: number;
  /** Keeps the process alive until the pool is closed. Default false: calls do that, as long as they wait or are open. */
  readonly keepAlive?: boolean;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Default: seeded from the system. */
  readonly random?: Random;
  /** Makes the connections instead of grpc-js; for tests, and for other transports. */
  readonly transport?: Transport;
}

const NAMES: Record<keyof PoolOptions, true> = {
  registry: true,
  service: true,
  picker: true,
  credentials: true,
  channelOptions: true,
  connectionsPerAddress: true,
  maxPendingPerEndpoint: true,
  queue: true,
  retry: true,
  methods: true,
  retryBudget: true,
  timeoutMs: true,
  drainTimeoutMs: true,
  subset: true,
  massRemovalGuard: true,
  outlierDetection: true,
  healthCheck: true,
  connectTimeoutMs: true,
  keepAlive: true,
  logger: true,
  clock: true,
  random: true,
  transport: true,
};

/**
 * Checks the options of a pool, and fills in what is left out.
 *
 * @throws {@link BalancerError} INVALID_OPTION or UNKNOWN_PICKER, naming the option, its value and what it must be.
 */
export function poolHostOptions(given: PoolOptions): PoolHostOptions {
  const options = objectOption('the options of a Pool', given, NAMES);
  const { clock = systemClock, random = systemRandom() } = options;
  objectOption('registry', options.registry);
  functionOption('registry.watch', options.registry.watch);
  const logger = guardedLogger(objectOption('logger', options.logger ?? silentLogger));
  objectOption('clock', clock);
  functionOption('random', random);
  booleanOption('keepAlive', options.keepAlive ?? false);
  const queue = objectOption('queue', options.queue ?? {}, { max: true });
  return {
    service: stringOption('service', options.service),
    clock,
    random,
    logger,
    transport: transportOf(options, clock, random),
    picker: pickerFactory(options.picker ?? 'round-robin'),
    policies: new Policies(options),
    outlier: options.outlierDetection === false ? undefined : outlierOptions(options.outlierDetection),
    healthService: healthService(options.healthCheck),
    retryBudget: options.retryBudget,
    table: tableOptions(options, logger, random),
    maxWaiting: numberOption('queue.max', queue.max ?? MAX_WAITING, { min: 0, integer: true }),
    refresh: () => options.registry.refresh?.(options.service),
  };
}

function groupSize(option: NonNullable<PoolOptions['connectionsPerAddress']>): GroupSize {
  if (typeof option !== 'object' || option === null) {
    const size = numberOption('connectionsPerAddress', option, { min: 1, integer: true });
    return { min: size, max: size };
  }
  objectOption('connectionsPerAddress', option, { min: true, max: true });
  const min = numberOption('connectionsPerAddress.min', option.min ?? 1, { min: 1, integer: true });
  const max = numberOption('connectionsPerAddress.max', option.max, { min, integer: true });
  return { min, max };
}

function transportOf(options: PoolOptions, clock: Clock, random: Random): Transport {
  const { credentials, channelOptions, connectionsPerAddress = 1, transport } = options;
  const perAddress = groupSize(connectionsPerAddress);
  if (transport !== undefined) functionOption('transport', transport);
  if (channelOptions !== undefined) objectOption('channelOptions', channelOptions);
  return connectionGroups(
    transport ?? grpcTransport({ clock, credentials, channelOptions }),
    perAddress,
    inBackground(clock),
    random,
  );
}

function tableOptions(options: PoolOptions, logger: Logger, random: Random): TableOptions {
  if (options.subset !== undefined) objectOption('subset', options.subset, { size: true, seed: true });
  const {
    maxPendingPerEndpoint: limit = Number.POSITIVE_INFINITY,
    subset,
    massRemovalGuard: guard = {},
  } = options;
  return {
    maxConnecting: POOL_TABLE.maxConnecting,
    connectTimeoutMs: numberOption(
      'connectTimeoutMs',
      options.connectTimeoutMs ?? POOL_TABLE.connectTimeoutMs,
      { min: 1 },
    ),
    drainTimeoutMs: numberOption('drainTimeoutMs', options.drainTimeoutMs ?? POOL_TABLE.drainTimeoutMs, {
      min: 0,
    }),
    reconnect: POOL_TABLE.reconnect,
    maxPending: pendingLimit(limit, logger),
    healthChecked: healthService(options.healthCheck) !== undefined,
    guard: guard === false ? undefined : guardOptions(guard),
    subset: subset && {
      size: numberOption('subset.size', subset.size, { min: 1, integer: true }),
      seed: numberOption('subset.seed', subset.seed ?? random(2 ** 32), {
        min: 0,
        max: 2 ** 32 - 1,
        integer: true,
      }),
    },
  };
}

function healthService(option: PoolOptions['healthCheck']): string | undefined {
  if (option === undefined || option === false) return undefined;
  if (option === true) return '';
  const { service } = objectOption('healthCheck', option, { service: true });
  return stringOption('healthCheck.service', service, { empty: true });
}

function guardOptions(given: Partial<RemovalGuardOptions>): RemovalGuardOptions {
  const names = { windowMs: true, fraction: true, minimum: true, graceMs: true } as const;
  const known = objectOption('massRemovalGuard', given, names);
  const { windowMs, fraction, minimum, graceMs } = { ...MASS_REMOVAL_GUARD, ...known };
  return {
    windowMs: numberOption('massRemovalGuard.windowMs', windowMs, { min: 0 }),
    fraction: numberOption('massRemovalGuard.fraction', fraction, { min: 0, max: 1 }),
    minimum: numberOption('massRemovalGuard.minimum', minimum, { min: 1, integer: true }),
    graceMs: numberOption('massRemovalGuard.graceMs', graceMs, { min: 0 }),
  };
}
