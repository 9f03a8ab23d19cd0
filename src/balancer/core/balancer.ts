// Over 300 lines, a third of them contracts: its port, its observer and itself are read together.
import type { Endpoint } from '../../base/endpoint.js';
import { type BalancerError, Status } from '../../base/errors.js';
import { type Random, shuffled } from '../../base/random.js';
import type { Outcome, Picker } from '../pickers/picker.js';
import type { ConnectivityEvent, Effect, Row } from '../table/row.js';
import { Table } from '../table/table.js';
import type { TableOptions } from '../table/table-options.js';
import { Dispatcher, type Request } from './dispatcher.js';
import { Ejection, type EjectionTimer, type P99 } from './ejection.js';
import { hopeless } from './hopeless.js';
import { Latencies } from './latencies.js';
import type { EjectionChange, UnansweredCall } from './outlier-detector.js';
import type { OutlierOptions } from './outlier-options.js';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.js';
import { Silence } from './silence.js';
import { WaitQueue } from './wait-queue.js';

/** What a {@link Balancer} is made of. */
export interface BalancerOptions {
  readonly table: TableOptions;
  /** Most calls that wait. */
  readonly maxWaiting: number;
  readonly retryBudget: RetryBudgetOptions | undefined;
  /** Without it, nobody is ejected. */
  readonly outlier: OutlierOptions | undefined;
  /**
   * Whether latencies are kept, for {@link Balancer.p95} and for calls that wait with a deadline. `false` saves the work where
   * no call has either. Ejection keeps them in any case.
   */
  readonly latencies: boolean;
}

/** A moment that the balancer waits for: a row's own, or one of the ejection's. */
export type Timer<L> = Row<L> | EjectionTimer;

/**
 * What a balancer has no hands for: connections, and time. Its methods are called in the middle of a change. They must not
 * throw, and must not call back before they have returned.
 */
export interface BalancerPort<L> {
  /** Connect the row: anew, or by waking the connection that it has. What comes of it goes to {@link Balancer.connectivityChanged}. */
  connect(row: Row<L>): void;
  /** Give up the row's connection, if it has one: its open calls may finish, and it makes no more. */
  discard(row: Row<L>): void;
  /**
   * The row's connection may have died without a word. Make another beside it: it takes the old one's place when it is READY,
   * and if it cannot be made, neither of them is of use: tell `broken`.
   */
  renew(row: Row<L>): void;
  /** The row has drained for long enough: end whatever calls are still open on it. */
  cut(row: Row<L>): void;
  /** The calls of the row that want one answer and have none yet, oldest first. Read while calls are late, and not to the end. */
  unansweredCalls(row: Row<L>): Iterable<UnansweredCall>;
  /** Call {@link Balancer.timerFired} with the timer in `ms`, instead of when it was last asked for; never, without `ms`. */
  setTimer(timer: Timer<L>, ms: number | undefined): void;
}

/** What happens in a balancer, for those who watch. */
export type BalancerEvent<L> =
  | Extract<Effect<L>, { kind: 'put' | 'gone' | 'unconfirmed' | 'state' }>
  | EjectionChange<Row<L>>
  /** What the health service of the row says from now on. */
  | { readonly kind: 'serving'; readonly row: Row<L>; readonly serving: boolean }
  /** A hook of the picker threw. The balancer goes on; what the picker knows may be wrong. */
  | { readonly kind: 'picker-failed'; readonly picker: string; readonly error: Error };

/** Whoever watches a balancer. As with its port, it must not call back before it has returned; what it throws ends the run. */
export interface BalancerObserver<L> {
  heard(event: BalancerEvent<L>): void;
  /** Whatever has changed is done: the table is as it will be until the next call of the balancer. */
  settled(): void;
}

/**
 * The whole of balancing, without a connection, a timer or a clock: the subchannel table, the calls that wait, the picker, the
 * ejection of what fails, the latencies, and the retry budget. It is told what happens and when, decides, and asks its port
 * for what is to be done. The pool runs it on real connections, the simulator on simulated ones.
 *
 * ```ts
 * const balancer = new Balancer(options, picker, random, port);
 * balancer.applySnapshot(endpoints, now);                       // asks the port to connect
 * balancer.connectivityChanged(row, { kind: 'ready' }, now);    // grants those who wait
 * const row = balancer.tryPick(request, now);                   // counted; without one, wait(request) until it is granted one
 * balancer.finish(row, { code, latencyMs }, now);               // once for each row that was handed out
 * ```
 */
export class Balancer<L = unknown> {
  readonly table: Table<L>;
  readonly queue: WaitQueue<Request<L>>;
  readonly budget: RetryBudget;
  /** Whether {@link BalancerPort.unansweredCalls} is ever asked. */
  readonly watchesHung: boolean;
  readonly #dispatcher: Dispatcher<L>;
  readonly #latencies: Latencies | undefined;
  readonly #ejection: Ejection<L> | undefined;
  readonly #silence = new Silence<Row<L>>();
  /** Made once: it is handed over with the end of every call. */
  readonly #p99Ms: P99 = ({ method }, now) => this.#latencies?.ofMethod(method, 0.99, now);

  constructor(
    options: BalancerOptions,
    picker: Picker,
    private readonly random: Random,
    private readonly port: BalancerPort<L>,
    private readonly observer?: BalancerObserver<L>,
  ) {
    const { outlier, latencies } = options;
    this.table = new Table(options.table, random);
    this.queue = new WaitQueue(options.maxWaiting);
    this.budget = new RetryBudget(options.retryBudget);
    this.#latencies = latencies || outlier !== undefined ? new Latencies() : undefined;
    const ejection = outlier && new Ejection<L>(outlier, (timer, ms) => port.setTimer(timer, ms));
    this.#ejection = ejection;
    this.watchesHung = ejection?.watchesHung === true;
    this.#dispatcher = new Dispatcher(this.table, this.queue, picker, {
      onPickerError: (name, error) => observer?.heard({ kind: 'picker-failed', picker: name, error }),
      hopeless: (request, now) => this.#hopeless(request, now),
      ...(ejection !== undefined && {
        probe: (request: Request<L>, now: number) => ejection.probe(request, now),
        onPicked: (now: number) => ejection.picked(now),
      }),
    });
  }

  get picker(): Picker {
    return this.#dispatcher.picker;
  }

  /**
   * The registry's whole truth: whatever is not in it is gone. Who is new is connected in no order: clients that all began with
   * the same server would be in step for ever, and those that make one call would all make it to the first in the registry.
   *
   * @param preferred - so many of them, the first, are connected before the others. Default: all alike.
   */
  applySnapshot(endpoints: readonly Endpoint[], now: number, preferred = endpoints.length): void {
    const first = shuffled(endpoints.slice(0, preferred), this.random);
    const others = shuffled(endpoints.slice(preferred), this.random);
    this.#run(this.table.applySnapshot([...first, ...others], now), now);
  }

  /** What has changed in the registry. */
  applyChanges(put: readonly Endpoint[], removed: readonly string[], now: number): void {
    this.#run(this.table.applyChanges(put, removed, now), now);
  }

  /** News of a row's present connection. */
  connectivityChanged(row: Row<L>, event: ConnectivityEvent, now: number): void {
    this.#run(this.table.connectivityChanged(row, event, now), now);
  }

  /**
   * How many calls the server of a row lets be open at a time, as its connection has it. Calls over that go elsewhere, or
   * wait here, in order and with their deadlines, and not in the connection.
   */
  streamLimitChanged(row: Row<L>, limit: number, now: number): void {
    const wasFull = row.full;
    this.table.limitStreams(row, limit);
    if (wasFull && !row.full) this.#dispatcher.offer(now);
  }

  /** What the health service of a row's present connection says. */
  setServing(row: Row<L>, serving: boolean, now: number): void {
    if (row.serving === serving) return;
    this.observer?.heard({ kind: 'serving', row, serving });
    this.#run(this.table.setServing(row, serving, now), now);
  }

  /** A moment that was asked for, by {@link BalancerPort.setTimer}, has come. */
  timerFired(timer: Timer<L>, now: number): void {
    if (timer === 'look') this.#look(now);
    else if (timer === 'sweep') for (const change of this.#ejection!.sweep(now)) this.#eject(change, now);
    else this.#run(this.table.timerFired(timer, now), now);
  }

  /** The next call's place among all calls. */
  arrive(): number {
    return this.queue.arrive();
  }

  /** @see {@link Dispatcher.tryPick} */
  tryPick(request: Request<L>, now: number): Row<L> | undefined {
    return this.#dispatcher.tryPick(request, now);
  }

  /** @see {@link Dispatcher.couldPick} */
  couldPick(request: Request<L>, now: number): boolean {
    return this.#dispatcher.couldPick(request, now);
  }

  /** @see {@link Dispatcher.wait} */
  wait(request: Request<L>): void {
    this.#dispatcher.wait(request);
  }

  /** Takes a call that waits out of the queue. */
  leave(request: Request<L>): void {
    this.queue.delete(request);
  }

  /** A call on a row that was handed out is over. */
  finish(row: Row<L>, outcome: Outcome, now: number): void {
    const { code, latencyMs, method } = outcome;
    const ours = this.#ejection?.stoodStillIn(outcome, now) === true;
    if (code === Status.OK && latencyMs !== undefined && !ours)
      this.#latencies?.record(method, latencyMs, now);
    const { state } = row;
    if (state.kind === 'ready' && this.#silence.finished(row, outcome, state.since, now))
      this.port.renew(row);
    const change = this.#ejection?.finished(row, outcome, this.#p99Ms, now);
    if (change !== undefined) this.#eject(change, now);
    const effects = this.#dispatcher.finish(row, now, outcome);
    if (effects !== undefined) this.#run(effects, now);
  }

  /** The 95th percentile of recent latencies, in milliseconds; undefined while too few are known. */
  p95(now: number): number | undefined {
    return this.#quantile(0.95, now);
  }

  /** Puts another picker in place: it is told of all that is there. */
  setPicker(picker: Picker, now: number): void {
    this.#dispatcher.setPicker(picker, now);
  }

  /** Refuses those who wait, and drains every row. Rows that were handed out are finished as ever. */
  close(refusal: BalancerError, now: number): void {
    for (let waiter = this.queue.oldest(); waiter !== undefined; waiter = this.queue.oldest()) {
      this.queue.delete(waiter);
      waiter.refused(refusal);
    }
    this.#run(this.table.close(now), now);
    this.#ejection?.stop();
  }

  #run(effects: readonly Effect<L>[], now: number): void {
    const { port, observer } = this;
    const dispatcher = this.#dispatcher;
    let grown = false;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'connect':
          // Whoever hears of a change may have closed the row since.
          if (effect.row.state.kind === 'connecting') port.connect(effect.row);
          break;
        case 'discard':
          port.discard(effect.row);
          break;
        case 'cut':
          port.cut(effect.row);
          break;
        case 'timer':
          port.setTimer(effect.row, effect.row.state.kind === 'closed' ? undefined : effect.ms);
          break;
        case 'put':
          dispatcher.announced(effect.endpoint, effect.previous);
          observer?.heard(effect);
          break;
        case 'gone':
          dispatcher.announced(undefined, effect.endpoint);
          observer?.heard(effect);
          break;
        case 'unconfirmed':
          observer?.heard(effect);
          break;
        case 'added':
          dispatcher.added(effect.row);
          grown = true;
          break;
        case 'removed':
          dispatcher.removed(effect.row);
          break;
        case 'updated':
          dispatcher.updated(effect.row, effect.previous);
          grown = true;
          break;
        case 'state':
          if (effect.state.kind === 'ready') this.#ejection?.connected(effect.row, now);
          else if (effect.from === 'ready') {
            this.#ejection?.disconnected(effect.row);
            this.#silence.forget(effect.row);
          }
          observer?.heard(effect);
          break;
      }
    }
    if (grown) dispatcher.offer(now);
    observer?.settled();
  }

  #look(now: number): void {
    const changes = this.#ejection!.look(
      (row) => this.port.unansweredCalls(row),
      this.#p99Ms,
      this.table.pending,
      now,
    );
    for (const change of changes) this.#eject(change, now);
  }

  #eject(change: EjectionChange<Row<L>>, now: number): void {
    this.observer?.heard(change);
    this.#run(this.table.setEjected(change.row, change.kind === 'ejected', now), now);
  }

  /** Whether a call that has waited has too little time left to be answered. */
  #hopeless({ enteredAt, expiresAt }: Request<L>, now: number): boolean {
    if (expiresAt === Number.POSITIVE_INFINITY) return false;
    return hopeless(now - enteredAt, expiresAt - now, (q) => this.#quantile(q, now));
  }

  #quantile(q: number, now: number): number | undefined {
    return this.#latencies?.quantile(q, now);
  }
}
