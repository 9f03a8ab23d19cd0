import { Broadcast } from '../../base/broadcast.js';
import type { Clock } from '../../base/clock.js';
import { BalancerError, Status } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Random } from '../../base/random.js';
import type { RegistryEvent } from '../../registry/registry.js';
import type { Link } from '../calls/call-host.js';
import type { ChannelHost } from '../calls/channel.js';
import { Dispatcher, type DispatcherOptions, type Request } from '../core/dispatcher.js';
import { Ejection, type EjectionHost } from '../core/ejection.js';
import { hopeless } from '../core/hopeless.js';
import { LatencyHistogram } from '../core/latency.js';
import type { OutlierOptions } from '../core/outlier.js';
import type { Policies, RetryBudget } from '../core/retry.js';
import { WaitQueue } from '../core/wait-queue.js';
import type { Outcome, PickerFactory } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import { Table, type TableOptions } from '../table/table.js';
import type { Transport } from '../transport/grpc-js/transport.js';
import { Connector } from './connector.js';
import { deadlineError, describePool } from './describe.js';
import { diagnostics } from './diagnostics.js';
import type { PoolEvent } from './events.js';
import type { RegistryState } from './snapshot.js';

export interface ShellOptions {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly picker: PickerFactory;
  readonly table: TableOptions;
  readonly maxWaiting: number;
  readonly policies: Policies;
  readonly budget: RetryBudget;
  /** Without it, nobody is ejected. */
  readonly outlier: OutlierOptions | undefined;
  readonly healthService: string | undefined;
}

/** Events kept for a reader of `events()` that is slower than they come. */
const MAX_UNREAD_EVENTS = 10_000;

/** A percentile of fewer latencies than this is chance. */
const MIN_LATENCIES = 50;

/** What stands between the pure parts and the world: the host of every call, and what is known of the registry. */
export class Shell implements ChannelHost {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly table: Table<Link>;
  readonly queue: WaitQueue<Request<Link>>;
  readonly dispatcher: Dispatcher<Link>;
  readonly events: Broadcast<PoolEvent>;
  readonly policies: Policies;
  readonly budget: RetryBudget;
  readonly backingOff = new Set<Request<Link>>();
  registry: RegistryState;

  readonly #latencies = new LatencyHistogram();
  readonly #logger: Logger;
  readonly #connector: Connector;
  readonly #ejection: Ejection<Link> | undefined;
  readonly #faultyPickers = new Set<string>();
  readonly #connectivityWatchers = new Set<() => void>();
  #lastConnectivity: ReturnType<Shell['connectivity']> = 'connecting';
  #closing: { done: () => void; finished: Promise<void> } | undefined;

  constructor(options: ShellOptions) {
    this.service = options.service;
    this.clock = options.clock;
    this.random = options.random;
    this.policies = options.policies;
    this.budget = options.budget;
    this.#logger = options.logger;
    this.table = new Table(options.table, options.random);
    this.queue = new WaitQueue(options.maxWaiting);
    this.#ejection = options.outlier && new Ejection(options.outlier, this.#ejectionHost());
    this.dispatcher = new Dispatcher(this.table, this.queue, options.picker({ random: options.random }), {
      onPickerError: (picker, error) => this.#pickerFailed(picker, error),
      hopeless: (request) => this.#hopeless(request),
      ...(this.#ejection && probing(this.#ejection)),
    });
    this.events = new Broadcast<PoolEvent>(MAX_UNREAD_EVENTS, (missed) => ({
      kind: 'lagged',
      at: this.clock.now(),
      missed,
    }));
    this.registry = { kind: 'waiting', since: this.clock.now() };
    this.#connector = new Connector({
      clock: this.clock,
      random: this.random,
      table: this.table,
      dispatcher: this.dispatcher,
      transport: options.transport,
      drainTimeoutMs: options.table.drainTimeoutMs,
      healthService: options.healthService,
      ejection: this.#ejection,
      heard: () => this.events.active || diagnostics.pool.hasSubscribers,
      tell: (event) => this.tell(event),
      settled: () => {
        if (this.#connectivityWatchers.size > 0) this.#tellConnectivity();
      },
    });
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  arrive(): number {
    return this.queue.arrive();
  }

  tryPick(request: Request<Link>): Row<Link> | undefined {
    if (this.#closing !== undefined) throw this.closedError();
    return this.dispatcher.tryPick(request, this.clock.now());
  }

  couldPick(request: Request<Link>): boolean {
    return this.dispatcher.couldPick(request, this.clock.now());
  }

  wait(request: Request<Link>): void {
    if (this.#closing !== undefined) throw this.closedError();
    this.dispatcher.wait(request);
  }

  leave(request: Request<Link>): void {
    this.queue.delete(request);
  }

  p95(): number | undefined {
    return this.#quantile(0.95);
  }

  finish(row: Row<Link>, outcome: Outcome): void {
    const now = this.clock.now();
    if (outcome.code === Status.OK && outcome.latencyMs !== undefined)
      this.#latencies.record(outcome.latencyMs, now);
    this.#ejection?.finished(row, outcome, now);
    const effects = this.dispatcher.finish(row, now, outcome);
    if (effects !== undefined) this.#connector.run(effects);
    if (this.#closing !== undefined && this.table.pending === 0) this.#closing.done();
  }

  explain(waitedMs: number): BalancerError {
    return deadlineError(this.describe(), this.table.size, waitedMs);
  }

  describe(): string {
    return describePool(this.service, this.table, this.registry, this.queue.size, this.clock);
  }

  closedError(): BalancerError {
    return new BalancerError('CLOSED', `the pool of ${this.service} is closed`);
  }

  connectivity(): 'ready' | 'connecting' | 'failed' | 'shutdown' {
    if (this.#closing !== undefined) return 'shutdown';
    if (this.table.ready.length > 0) return 'ready';
    if (this.table.size === 0) return 'connecting';
    for (const { state } of this.table.rows()) {
      if (state.kind === 'connecting' || state.kind === 'queued') return 'connecting';
    }
    return 'failed';
  }

  onConnectivity(changed: () => void): () => void {
    // Of its own identity, so that one function may be given twice.
    const watcher = () => changed();
    this.#lastConnectivity = this.connectivity();
    this.#connectivityWatchers.add(watcher);
    return () => this.#connectivityWatchers.delete(watcher);
  }

  /** Takes in what the registry tells. */
  heard(event: RegistryEvent): void {
    if (this.#closing !== undefined) return;
    const now = this.clock.now();
    switch (event.kind) {
      case 'snapshot':
        this.#connector.run(this.table.snapshot(event.endpoints, now));
        break;
      case 'changes':
        this.#connector.run(this.table.changes(event.put, event.removed, now));
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
    this.dispatcher.setPicker(picker, now);
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
    for (let waiter = this.queue.oldest(); waiter !== undefined; waiter = this.queue.oldest()) {
      this.queue.delete(waiter);
      waiter.refused(this.closedError());
    }
    for (const call of this.backingOff) call.refused(this.closedError());
    this.#connector.run(this.table.close(this.clock.now()));
    this.#tellConnectivity();
    this.#ejection?.stop();
    if (this.table.pending === 0) done();
    return finished;
  }

  #hopeless({ enteredAt, deadline }: Request<Link>): boolean {
    if (enteredAt === undefined || deadline === undefined || deadline === Number.POSITIVE_INFINITY)
      return false;
    const { clock } = this;
    return hopeless(clock.now() - enteredAt, deadline - clock.epochNow(), (q) => this.#quantile(q));
  }

  #quantile(q: number): number | undefined {
    const now = this.clock.now();
    return this.#latencies.count(now) < MIN_LATENCIES ? undefined : this.#latencies.quantile(q, now);
  }

  #ejectionHost(): EjectionHost<Link> {
    return {
      clock: this.clock,
      p99: () => this.#quantile(0.99),
      pending: () => this.table.pending,
      apply: (verdict) => {
        const { address } = verdict.row.endpoint;
        if (verdict.kind === 'returned') this.#logger.info(`${this.service}: ${address} is back`);
        else {
          const seconds = (verdict.forMs / 1_000).toFixed(0);
          this.#logger.warn(`${this.service}: ${address} is ejected for ${seconds} s: ${verdict.reason}`);
        }
        this.#connector.apply(verdict);
      },
    };
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

  #tellConnectivity(): void {
    const now = this.connectivity();
    if (now === this.#lastConnectivity) return;
    this.#lastConnectivity = now;
    const watchers = [...this.#connectivityWatchers];
    this.#connectivityWatchers.clear();
    for (const changed of watchers) changed();
  }

  #pickerFailed(picker: string, error: Error): void {
    if (this.#faultyPickers.has(picker)) return;
    this.#faultyPickers.add(picker);
    this.#logger.warn(
      `${this.service}: a hook of picker ${picker} threw, its choices may be wrong: ${error.message}`,
    );
  }
}

function probing(ejection: Ejection<Link>): Pick<DispatcherOptions<Link>, 'probe' | 'onPicked'> {
  return {
    probe: (request, now) => ejection.probe(request, now),
    onPicked: () => ejection.started(),
  };
}
