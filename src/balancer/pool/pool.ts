import type { Clock } from '../../base/clock.js';
import { systemClock } from '../../base/clock.js';
import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { numberOption } from '../../base/options.js';
import { type Random, systemRandom } from '../../base/random.js';
import type { Registry } from '../../registry/registry.js';
import type { Connected } from '../calls/call-host.js';
import { poolChannel } from '../calls/channel.js';
import { type ClientConstructor, clientOn, HandPick, type Pick } from '../calls/hand-pick.js';
import { knownMethods, type ServiceDefinition } from '../calls/method.js';
import { type PickOptions, PickRequest } from '../calls/pick-request.js';
import { makeStub, type Stub } from '../calls/stub.js';
import { MASS_REMOVAL_GUARD, MAX_WAITING, POOL_TABLE } from '../core/defaults.js';
import { type OutlierOptions, outlierOptions } from '../core/outlier-options.js';
import { type MethodOptions, Policies, type RetryBudgetOptions, type RetryOptions } from '../core/retry.js';
import { type PickerName, pickerFactory } from '../pickers/index.js';
import type { PickerFactory } from '../pickers/picker.js';
import type { RemovalGuardOptions } from '../table/removal-guard.js';
import type { Row } from '../table/row.js';
import type { TableOptions } from '../table/table-options.js';
import { connectionGroups } from '../transport/connection-group.js';
import { type GrpcTransportOptions, grpcTransport } from '../transport/grpc-js/transport.js';
import type { Transport } from '../transport/transport.js';
import type { PoolEvent } from './events.js';
import { pendingLimit } from './pending-limit.js';
import { PoolHost } from './pool-host.js';
import { followRegistry } from './registry-watch.js';
import type { PoolSnapshot, SubchannelSnapshot } from './snapshot.js';

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
  /** How many connections to each address, for servers that limit the streams of one. Default 1. */
  readonly connectionsPerAddress?: number;
  /** Most pending calls on an endpoint, an integer; past it, calls go elsewhere or wait. Default: no limit. */
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
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Default: seeded from the system. */
  readonly random?: Random;
  /** Makes the connections instead of grpc-js; for tests, and for other transports. */
  readonly transport?: Transport;
}

/**
 * A load-balanced client of one service: a connection to each of its endpoints, kept in step with the registry, and a
 * picker that chooses the one for each call. Calls wait, bounded, while nothing is READY.
 *
 * It starts at once: it watches the registry and connects. `close()` it when done, or hold it by `await using`.
 */
export class Pool implements AsyncDisposable {
  /** The pool as a grpc-js channel, for whatever takes one. Closing it does nothing. */
  readonly channel: ReturnType<typeof poolChannel>;
  readonly #host: PoolHost;
  readonly #watch = new AbortController();
  readonly #following: Promise<void>;

  /** @throws {@link BalancerError} INVALID_OPTION or UNKNOWN_PICKER, naming the option and what it must be. */
  constructor(options: PoolOptions) {
    const { registry, service, clock = systemClock, random = systemRandom() } = options;
    if (typeof service !== 'string' || service === '') {
      throw new BalancerError('INVALID_OPTION', `service ${JSON.stringify(service)} is not a service name`);
    }
    if (typeof registry?.watch !== 'function') {
      throw new BalancerError('INVALID_OPTION', 'registry is not a Registry: it has no watch method');
    }
    const { credentials, channelOptions, connectionsPerAddress = 1 } = options;
    const perAddress = numberOption('connectionsPerAddress', connectionsPerAddress, {
      min: 1,
      integer: true,
    });
    this.#host = new PoolHost({
      service,
      clock,
      random,
      logger: options.logger ?? silentLogger,
      transport: connectionGroups(
        options.transport ?? grpcTransport({ clock, credentials, channelOptions }),
        perAddress,
        clock,
        random,
      ),
      picker: pickerFactory(options.picker ?? 'round-robin'),
      policies: new Policies(options),
      outlier: options.outlierDetection === false ? undefined : outlierOptions(options.outlierDetection),
      healthService: healthService(options.healthCheck),
      retryBudget: options.retryBudget,
      table: tableOptions(options, random),
      maxWaiting: numberOption('queue.max', options.queue?.max ?? MAX_WAITING, { min: 0, integer: true }),
    });
    this.channel = poolChannel(this.#host);
    this.#following = followRegistry(registry, service, this.#watch.signal, { clock, random }, (event) =>
      this.#host.heard(event),
    );
  }

  /**
   * The right to make one call, on the subchannel that the picker chooses. Waits while nothing is READY with room.
   *
   * @throws {@link BalancerError} QUEUE_FULL, CLOSED, ABORTED, DEADLINE, NO_ENDPOINTS, PICKER_FAILED, INVALID_OPTION.
   */
  async pick(options: PickOptions = {}): Promise<Pick> {
    const request = new PickRequest(this.#host, options);
    const row = this.#host.tryPick(request);
    return row === undefined ? request.wait((granted) => this.#handPick(granted)) : this.#handPick(row);
  }

  /** The same without waiting: undefined when nothing is READY with room, and while others wait for it. */
  tryPick(options: PickOptions = {}): Pick | undefined {
    const row = this.#host.tryPick(new PickRequest(this.#host, options));
    return row && this.#handPick(row);
  }

  /** A typed client of a service: promises and async generators, every call picked. */
  stub<Service extends ServiceDefinition>(service: Service): Stub<Service> {
    return makeStub(this.#host, service);
  }

  /** A generated grpc-js client, every call of which is picked. Closing it leaves the pool as it is. */
  client<C>(Client: ClientConstructor<C>): C {
    return clientOn(Client, poolChannel(this.#host, knownMethods(Client, this.#host.policies)));
  }

  /**
   * Puts another picker in place: no call fails, no pending count is lost.
   *
   * @throws {@link BalancerError} UNKNOWN_PICKER; the picker stays what it was.
   */
  setPicker(picker: PickerName | PickerFactory): void {
    this.#host.setPicker(pickerFactory(picker));
  }

  /**
   * Resolves when a subchannel is READY.
   *
   * @throws {@link BalancerError} CLOSED, ABORTED, DEADLINE, NO_ENDPOINTS.
   */
  async ready({ signal, timeoutMs }: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<void> {
    const host = this.#host;
    const startedAt = host.clock.now();
    await new Promise<void>((resolve, reject) => {
      let cancelWatch = () => {};
      let cancelTimer = () => {};
      const settle = (error?: BalancerError) => {
        cancelWatch();
        cancelTimer();
        signal?.removeEventListener('abort', aborted);
        if (error === undefined) resolve();
        else reject(error);
      };
      const aborted = () => {
        settle(
          new BalancerError('ABORTED', 'gave up waiting for the pool to be ready', { cause: signal?.reason }),
        );
      };
      const check = () => {
        const state = host.connectivity();
        if (state === 'ready') settle();
        else if (state === 'shutdown') settle(host.closedError());
        else cancelWatch = host.onConnectivity(check);
      };
      if (signal?.aborted) return aborted();
      signal?.addEventListener('abort', aborted, { once: true });
      cancelTimer = host.clock.after(timeoutMs ?? Number.POSITIVE_INFINITY, () => {
        settle(host.explain(host.clock.now() - startedAt));
      });
      check();
    });
  }

  /** What the pool knows now. Costs O(endpoints). */
  snapshot(): PoolSnapshot {
    const { service, balancer, registry, closed } = this.#host;
    const { table, queue } = balancer;
    const subchannels: SubchannelSnapshot[] = [];
    for (const row of table.rows()) {
      const { endpoint, state, unconfirmed, ejected, serving, pending, picked } = row;
      const ids = [...row.ids.keys()].sort();
      subchannels.push({ endpoint, ids, state, unconfirmed, ejected, serving, pending, picked });
    }
    subchannels.sort(byAddressDrainingLast);
    return {
      service,
      picker: balancer.picker.name,
      registry,
      subchannels,
      ready: table.ready.length,
      waiting: queue.size,
      pending: table.pending,
      closed,
    };
  }

  /** What happens from now on, until the pool is closed, the loop is left or the signal aborts. */
  events(signal?: AbortSignal): AsyncIterableIterator<PoolEvent> {
    return this.#host.events.subscribe(signal);
  }

  /**
   * Stops: calls that wait fail with CLOSED, calls in flight go on for `drainTimeoutMs`, then are cancelled with
   * UNAVAILABLE. Resolves when nothing is left, not a timer nor a socket. Safe to call again.
   */
  async close(): Promise<void> {
    this.#watch.abort();
    await Promise.all([this.#host.close(), this.#following]);
    this.#host.tell({ kind: 'closed', at: this.#host.clock.now() });
    this.#host.events.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #handPick(row: Row<Connected>): Pick {
    return new HandPick(row, this.#host);
  }
}

function tableOptions(options: PoolOptions, random: Random): TableOptions {
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
    maxPending: pendingLimit(limit, options.logger ?? silentLogger),
    healthChecked: healthService(options.healthCheck) !== undefined,
    guard: guard === false ? undefined : guardOptions({ ...MASS_REMOVAL_GUARD, ...guard }),
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
  return option === true ? '' : option.service;
}

function guardOptions({ windowMs, fraction, minimum, graceMs }: RemovalGuardOptions): RemovalGuardOptions {
  return {
    windowMs: numberOption('massRemovalGuard.windowMs', windowMs, { min: 0 }),
    fraction: numberOption('massRemovalGuard.fraction', fraction, { min: 0, max: 1 }),
    minimum: numberOption('massRemovalGuard.minimum', minimum, { min: 1, integer: true }),
    graceMs: numberOption('massRemovalGuard.graceMs', graceMs, { min: 0 }),
  };
}

function byAddressDrainingLast(a: SubchannelSnapshot, b: SubchannelSnapshot): number {
  const draining = Number(a.state.kind === 'draining') - Number(b.state.kind === 'draining');
  if (draining !== 0) return draining;
  return a.endpoint.address < b.endpoint.address ? -1 : Number(a.endpoint.address > b.endpoint.address);
}
