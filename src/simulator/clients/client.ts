import { Dispatcher, type Request } from '../../balancer/core/dispatcher.js';
import { LatencyHistogram } from '../../balancer/core/latency.js';
import { OutlierDetector, type OutlierOptions, type Verdict } from '../../balancer/core/outlier.js';
import { RetryBudget, type RetryBudgetOptions } from '../../balancer/core/retry.js';
import { WaitQueue } from '../../balancer/core/wait-queue.js';
import type { Outcome, Picker } from '../../balancer/pickers/picker.js';
import type { ConnectivityEvent, Effect, Row } from '../../balancer/table/row.js';
import { Table, type TableOptions } from '../../balancer/table/table.js';
import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError, Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { NONE } from '../../base/slot-lists.js';
import type { Agenda } from '../world/agenda.js';

/** What a client hangs on a row of its table. */
export interface Link {
  readonly server: number;
  /** Its connection, if it has one: another object each time. */
  connection: Connection | undefined;
  cancelTimer: (() => void) | undefined;
  /** The attempts on it, oldest first, where somebody looks for hung servers. */
  firstOpen: number;
}

/** A connection of a client to a server, or an attempt to make one. */
export interface Connection {
  readonly client: Client;
  readonly row: Row<Link>;
}

/** What a client needs of the world. */
export interface ClientHost {
  readonly agenda: Agenda;
  /** Makes the connection, or fails to, in its own time: by {@link Client.connectivity}. */
  connect(connection: Connection, server: number): void;
  /** The client has let go of it. */
  disconnect(connection: Connection, server: number): void;
  serverOf(endpoint: Endpoint): number;
  /** Calls on the row have had their time to drain. */
  cut(row: Row<Link>): void;
  /** When the oldest call on the row began that is not answered; undefined without one. */
  oldestCallAt(row: Row<Link>): number | undefined;
}

export interface ClientOptions {
  readonly table: TableOptions;
  readonly maxWaiting: number;
  readonly retryBudget: RetryBudgetOptions;
  /** Without it, nobody is ejected. */
  readonly outlier: OutlierOptions | undefined;
  /** Keep latencies for percentiles: calls have deadlines, or hedges wait for the 95th. */
  readonly latencies: boolean;
}

/** As in the pool's shell: a percentile of fewer latencies than this is chance. */
const MIN_LATENCIES = 50;
/** As in the pool's ejection: how often the pending calls are looked at. */
const LOOK_MS = 100;

/**
 * A pool without its I/O: the table, dispatcher, wait queue, picker, outlier detector and retry budget of production, on
 * virtual time. What the pool's shells do around them is done here: it runs the table's effects, on connections that
 * are an entry in a list, and the outlier detector's timers.
 */
export class Client {
  readonly table: Table<Link>;
  readonly queue: WaitQueue<Request<Link>>;
  readonly dispatcher: Dispatcher<Link>;
  readonly budget: RetryBudget;
  /** Looks for hung servers, by {@link ClientHost.oldestCallAt}. */
  readonly watchesHung: boolean;
  readonly #latencies: LatencyHistogram | undefined;
  readonly #detector: OutlierDetector<Row<Link>> | undefined;
  readonly #p99 = () => this.#quantile(0.99);
  #looking = false;

  constructor(
    options: ClientOptions,
    picker: Picker,
    random: Random,
    private readonly host: ClientHost,
  ) {
    const { outlier } = options;
    this.table = new Table(options.table, random);
    this.queue = new WaitQueue(options.maxWaiting);
    this.budget = new RetryBudget(options.retryBudget);
    this.#latencies = options.latencies || outlier !== undefined ? new LatencyHistogram() : undefined;
    this.#detector = outlier && new OutlierDetector(outlier);
    this.watchesHung = outlier !== undefined && outlier.hung !== false;
    this.dispatcher = new Dispatcher(this.table, this.queue, picker, {
      onPickerError: (name, error) => {
        throw new BalancerError('PICKER_FAILED', `a hook of picker ${name} threw: ${error.message}`);
      },
      hopeless: ({ deadline = Number.POSITIVE_INFINITY }) =>
        deadline - host.agenda.now() < (this.#quantile(0.5) ?? 0),
      ...(this.#detector !== undefined && {
        probe: (request: Request<Link>, now: number) => this.#probe(request, now),
        onPicked: () => this.#look(),
      }),
    });
    if (this.#detector !== undefined) this.#sweepLater(this.#detector);
  }

  /** The registry's whole truth, or what has changed of it. */
  heardSnapshot(endpoints: readonly Endpoint[]): void {
    this.#run(this.table.snapshot(endpoints, this.host.agenda.now()));
  }

  heardChanges(put: readonly Endpoint[], removed: readonly string[]): void {
    this.#run(this.table.changes(put, removed, this.host.agenda.now()));
  }

  /** News of a connection; late news of one that was let go changes nothing. */
  connectivity(connection: Connection, event: ConnectivityEvent): void {
    const { row } = connection;
    if (row.link?.connection !== connection) return;
    this.#run(this.table.connectivity(row, event, this.host.agenda.now()));
  }

  /**
   * A row for the attempt, counted; or none.
   *
   * @throws BalancerError PICKER_FAILED: in production, calls would wait for a server while servers wait for calls.
   */
  tryPick(attempt: Request<Link>): Row<Link> | undefined {
    const { dispatcher, queue, table } = this;
    const row = dispatcher.tryPick(attempt, this.host.agenda.now());
    if (row === undefined && table.available > 0 && queue.size === 0 && attempt.exclude === undefined) {
      const what = `chose nobody, and ${table.available} of ${table.ready.length} servers have room`;
      throw new BalancerError('PICKER_FAILED', `picker ${dispatcher.picker.name} ${what}`);
    }
    return row;
  }

  /** An attempt that was picked is over. */
  finish(row: Row<Link>, outcome: Outcome): void {
    const now = this.host.agenda.now();
    if (outcome.code === Status.OK && outcome.latencyMs !== undefined) {
      this.#latencies?.record(outcome.latencyMs, now);
    }
    const verdict = this.#detector?.finished(row, outcome, this.#p99, now);
    if (verdict !== undefined) this.#apply(verdict);
    const effects = this.dispatcher.finish(row, now, outcome);
    if (effects !== undefined) this.#run(effects);
  }

  p95(): number | undefined {
    return this.#quantile(0.95);
  }

  #quantile(q: number): number | undefined {
    const now = this.host.agenda.now();
    const latencies = this.#latencies;
    if (latencies === undefined || latencies.count(now) < MIN_LATENCIES) return undefined;
    return latencies.quantile(q, now);
  }

  #run(effects: readonly Effect<Link>[]): void {
    const { dispatcher, host } = this;
    let grown = false;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'connect':
          this.#connect(effect.row);
          break;
        case 'discard':
          this.#discard(effect.row);
          break;
        case 'cancel':
          host.cut(effect.row);
          break;
        case 'timer':
          this.#arm(effect.row, effect.ms);
          break;
        case 'put':
          dispatcher.announced(effect.endpoint, effect.previous);
          break;
        case 'gone':
          dispatcher.announced(undefined, effect.endpoint);
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
          if (effect.state.kind === 'ready') this.#detector?.added(effect.row, host.agenda.now());
          else if (effect.from === 'ready') this.#detector?.removed(effect.row);
          break;
      }
    }
    if (grown) dispatcher.offer(host.agenda.now());
  }

  #connect(row: Row<Link>): void {
    const link = this.#linkOf(row);
    const connection = { client: this, row };
    link.connection = connection;
    this.host.connect(connection, link.server);
  }

  #discard({ link }: Row<Link>): void {
    if (link?.connection === undefined) return;
    this.host.disconnect(link.connection, link.server);
    link.connection = undefined;
  }

  #arm(row: Row<Link>, ms: number | undefined): void {
    const { agenda } = this.host;
    const link = this.#linkOf(row);
    link.cancelTimer?.();
    link.cancelTimer =
      ms === undefined ? undefined : agenda.after(ms, () => this.#run(this.table.timeout(row, agenda.now())));
  }

  #linkOf(row: Row<Link>): Link {
    row.link ??= {
      server: this.host.serverOf(row.endpoint),
      connection: undefined,
      cancelTimer: undefined,
      firstOpen: NONE,
    };
    return row.link;
  }

  #apply(verdict: Verdict<Row<Link>>): void {
    this.#run(this.table.setEjected(verdict.row, verdict.kind === 'ejected', this.host.agenda.now()));
  }

  /** As in the pool's ejection: a call with a key goes where it belongs, and probes nothing. */
  #probe({ key, exclude }: Request<Link>, now: number): Row<Link> | undefined {
    if (key !== undefined) return undefined;
    const row = this.#detector!.due(now);
    if (row === undefined || row.full || row.state.kind !== 'ready' || exclude?.has(row)) return undefined;
    this.#detector!.probing(row, now);
    return row;
  }

  #look(): void {
    if (this.#looking || !this.watchesHung) return;
    this.#looking = true;
    const { agenda } = this.host;
    const oldest = (row: Row<Link>) => this.host.oldestCallAt(row);
    agenda.after(LOOK_MS, () => {
      this.#looking = false;
      for (const verdict of this.#detector!.checkHung(oldest, this.#quantile(0.99), agenda.now())) {
        this.#apply(verdict);
      }
      if (this.table.pending > 0) this.#look();
    });
  }

  #sweepLater(detector: OutlierDetector<Row<Link>>): void {
    const { agenda } = this.host;
    agenda.after(detector.options.intervalMs, () => {
      for (const verdict of detector.sweep(agenda.now())) this.#apply(verdict);
      this.#sweepLater(detector);
    });
  }
}
