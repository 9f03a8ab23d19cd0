import { Broadcast } from '../../base/broadcast.js';
import type { Clock } from '../../base/clock.js';
import { asError, BalancerError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Random } from '../../base/random.js';
import type { RegistryEvent } from '../../registry/registry.js';
import { Cancellations } from '../calls/cancellations.js';
import type { ChannelHost } from '../calls/channel.js';
import { Connectivity, type PoolConnectivity } from '../calls/connectivity.js';
import { Balancer, type BalancerEvent, type BalancerOptions } from '../core/balancer.js';
import type { Request } from '../core/dispatcher.js';
import type { Policies } from '../core/policies.js';
import type { RetryBudget } from '../core/retry-budget.js';
import type { Outcome, PickerFactory } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Transport } from '../transport/transport.js';
import { Connector } from './connector.js';
import { deadlineError, describePool } from './describe.js';
import { diagnostics } from './diagnostics.js';
import { type PoolEvent, poolEvent } from './events.js';
import { usableEvent } from './registry-events.js';
import { type PoolSnapshot, type RegistryState, subchannelSnapshots } from './snapshot.js';
import type { Subchannel } from './subchannel.js';

export interface PoolHostOptions extends Omit<BalancerOptions, 'latencies'> {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly picker: PickerFactory;
  readonly policies: Policies;
  readonly healthService: string | undefined;
  /** `refresh` of the registry: what it told may be out of date. */
  readonly refresh: () => unknown;
}

/** Events kept for a reader of `events()` that is slower than they come. */
const MAX_UNREAD_EVENTS = 10_000;

/** A balancer on a clock and on real connections, and what is known of the registry: the host of every call of a pool. */
export class PoolHost implements ChannelHost {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly balancer: Balancer<Subchannel>;
  readonly events: Broadcast<PoolEvent>;
  readonly policies: Policies;
  readonly budget: RetryBudget;
  readonly cancellations = new Cancellations();
  readonly connectivity: Connectivity;
  readonly backingOff = new Set<Request<Subchannel>>();
  registry: RegistryState;

  readonly #logger: Logger;
  readonly #connector: Connector;
  readonly #faultyPickers = new Set<string>();
  readonly #refresh: () => unknown;
  #faultyRefresh = false;
  #closing: { done: () => void; finished: Promise<void> } | undefined;

  constructor(options: PoolHostOptions) {
    const { service, clock, random, transport, healthService } = options;
    this.service = service;
    this.clock = clock;
    this.random = random;
    this.policies = options.policies;
    this.#logger = options.logger;
    this.#refresh = options.refresh;
    this.connectivity = new Connectivity(clock, () => this.#connectivity());
    const host = this;
    this.#connector = new Connector({
      clock,
      random,
      transport,
      healthService,
      drainTimeoutMs: options.table.drainTimeoutMs,
      get balancer() {
        return host.balancer;
      },
    });
    const picker = options.picker({ random });
    this.balancer = new Balancer({ ...options, latencies: true }, picker, random, this.#connector, {
      heard: (event) => this.#balancerHeard(event),
      settled: () => this.connectivity.changed(),
    });
    this.budget = this.balancer.budget;
    this.events = new Broadcast<PoolEvent>(MAX_UNREAD_EVENTS, (missed) => ({
      kind: 'lagged',
      at: clock.now(),
      missed,
    }));
    this.registry = { kind: 'waiting', since: clock.now() };
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  arrive(): number {
    return this.balancer.arrive();
  }

  tryPick(request: Request<Subchannel>): Row<Subchannel> | undefined {
    if (this.#closing !== undefined) throw this.closedError();
    return this.balancer.tryPick(request, this.clock.now());
  }

  couldPick(request: Request<Subchannel>): boolean {
    return this.balancer.couldPick(request, this.clock.now());
  }

  wait(request: Request<Subchannel>): void {
    if (this.#closing !== undefined) throw this.closedError();
    this.balancer.wait(request);
  }

  leave(request: Request<Subchannel>): void {
    this.balancer.leave(request);
  }

  p95(): number | undefined {
    return this.balancer.p95(this.clock.now());
  }

  finish(row: Row<Subchannel>, outcome: Outcome): void {
    this.balancer.finish(row, outcome, this.clock.now());
    if (this.#closing !== undefined && this.balancer.table.pending === 0) this.#closing.done();
  }

  snapshot(): PoolSnapshot {
    const { service, balancer, registry, closed } = this;
    const { table, queue, picker } = balancer;
    return {
      service,
      picker: picker.name,
      registry,
      subchannels: subchannelSnapshots(table),
      ready: table.ready.length,
      waiting: queue.size,
      pending: table.pending,
      closed,
    };
  }

  explain(waitedMs: number): BalancerError {
    return deadlineError(this.describe(), this.balancer.table.size, waitedMs);
  }

  describe(): string {
    const { table, queue } = this.balancer;
    return describePool(this.service, table, this.registry, queue.size, this.clock);
  }

  closedError(): BalancerError {
    return new BalancerError('CLOSED', `the pool of ${this.service} is closed`);
  }

  /**
   * Takes in what the registry tells.
   *
   * @throws BalancerError REGISTRY_UNAVAILABLE for what is no event.
   */
  heard(told: RegistryEvent): void {
    if (this.#closing !== undefined) return;
    const event = usableEvent(told, (line) => this.#logger.warn(`${this.service}: ${line}`));
    const now = this.clock.now();
    switch (event.kind) {
      case 'snapshot':
        this.balancer.applySnapshot(event.endpoints, now, event.preferred);
        break;
      case 'changes':
        this.balancer.applyChanges(event.put, event.removed, now);
        break;
      case 'stale':
        this.#stale(event.cause, now);
        return;
    }
    if (this.registry.kind === 'current') return;
    if (this.registry.kind === 'stale') this.#logger.info(`${this.service}: the registry is current again`);
    this.#registryIs({ kind: 'current', since: now });
  }

  setPicker(factory: PickerFactory): void {
    const picker = factory({ random: this.random });
    const now = this.clock.now();
    this.balancer.setPicker(picker, now);
    this.tell({ kind: 'picker', at: now, name: picker.name });
  }

  tell(event: PoolEvent): void {
    this.events.publish(event);
    if (diagnostics.pool.hasSubscribers) diagnostics.pool.publish({ service: this.service, event });
  }

  /** Refuses those who wait, drains every row, and resolves when the last call is over. */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.finished;
    let done = () => {};
    const finished = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#closing = { done, finished };
    for (const call of this.backingOff) call.refused(this.closedError());
    this.balancer.close(this.closedError(), this.clock.now());
    this.connectivity.changed();
    if (this.balancer.table.pending === 0) done();
    return finished;
  }

  #balancerHeard(event: BalancerEvent<Subchannel>): void {
    switch (event.kind) {
      case 'state':
        if (event.state.kind === 'ready') this.#connector.connected(event.row);
        else if (event.from === 'ready') this.#connector.disconnected(event.row);
        if (isDisappointment(event)) this.#refreshRegistry();
        break;
      case 'ejected': {
        const seconds = (event.forMs / 1_000).toFixed(0);
        this.#logger.warn(
          `${this.service}: ${event.row.endpoint.address} is ejected for ${seconds} s: ${event.reason}`,
        );
        break;
      }
      case 'returned':
        this.#logger.info(`${this.service}: ${event.row.endpoint.address} is back`);
        break;
      case 'picker-failed':
        this.#pickerFailed(event.picker, event.error);
        return;
    }
    if (this.events.active || diagnostics.pool.hasSubscribers) this.tell(poolEvent(event, this.clock.now()));
  }

  #stale(cause: Error, now: number): void {
    const { kind, since } = this.registry;
    if (kind === 'current') {
      this.#logger.warn(
        `${this.service}: the registry is stale, serving the table as it was: ${cause.message}`,
      );
      this.#registryIs({ kind: 'stale', since: now, cause });
    } else {
      // No change of state, but of what is known about it.
      if (kind === 'waiting' && this.registry.cause === undefined) {
        this.#logger.warn(`${this.service}: the registry has not answered yet: ${cause.message}`);
      }
      this.registry = { kind, since, cause };
    }
  }

  #registryIs(state: RegistryState): void {
    this.registry = state;
    this.tell({ kind: 'registry', at: this.clock.now(), state });
  }

  /** It is a user's hook: it may throw, or be async and reject. */
  #refreshRegistry(): void {
    const failed = (thrown: unknown) => {
      if (this.#faultyRefresh) return;
      this.#faultyRefresh = true;
      this.#logger.warn(`${this.service}: refresh of the registry failed: ${asError(thrown).message}`);
    };
    try {
      const answer = this.#refresh();
      if (answer instanceof Promise) answer.catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #connectivity(): PoolConnectivity {
    const { table } = this.balancer;
    if (this.#closing !== undefined) return 'shutdown';
    if (table.ready.length > 0) return 'ready';
    if (table.size === 0) return 'connecting';
    for (const { state } of table.rows()) {
      if (state.kind === 'connecting' || state.kind === 'queued') return 'connecting';
    }
    return 'failed';
  }

  #pickerFailed(picker: string, error: Error): void {
    if (this.#faultyPickers.has(picker)) return;
    this.#faultyPickers.add(picker);
    this.#logger.warn(
      `${this.service}: a hook of picker ${picker} threw, its choices may be wrong: ${error.message}`,
    );
  }
}

/** A connection was lost, or could not be made, to an endpoint that is announced. */
function isDisappointment({ from, state }: Extract<BalancerEvent<unknown>, { kind: 'state' }>): boolean {
  if (state.kind === 'failed') return true;
  return from === 'ready' && state.kind === 'queued';
}
