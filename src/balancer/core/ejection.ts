import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Request } from './dispatcher.js';
import { type EjectionChange, OutlierDetector, type UnansweredCall } from './outlier-detector.js';
import type { OutlierOptions } from './outlier-options.js';

/** How often the pending calls are looked at, while there are any. */
const LOOK_MS = 100;

/** A process that is so late for a look stood still: stopped, suspended, or blocked by work of its own. */
const STAND_STILL_MS = 500;

/** The 99th percentile of the latencies of calls like that one, in milliseconds; undefined while too few are known. */
export type P99 = (call: { readonly method?: string | undefined }, now: number) => number | undefined;

/** What ejection asks for: to be called again in `ms`, by {@link Ejection.sweep} or {@link Ejection.look}. */
export type EjectionTimer = 'sweep' | 'look';

/**
 * The outlier detector on the rows of a table: which of them it is told of, when it looks, and which call probes. Pure:
 * it asks for its timers, and hands back what is to change.
 */
export class Ejection<L> {
  readonly #detector: OutlierDetector<Row<L>>;
  /** Whether the age of calls is looked at: without it, nobody need know which are without an answer. */
  readonly watchesHung: boolean;
  #sweeping = false;
  /** When the pending calls are looked at next; `Infinity` while there are none. */
  #lookAt = Number.POSITIVE_INFINITY;
  #stoodStillUntil = Number.NEGATIVE_INFINITY;

  constructor(
    options: OutlierOptions,
    private readonly setTimer: (timer: EjectionTimer, ms: number | undefined) => void,
  ) {
    this.#detector = new OutlierDetector(options);
    this.watchesHung = options.hung !== false;
  }

  /** The row is READY: a connection is a new server, and what was known of the one before it is forgotten. */
  connected(row: Row<L>, now: number): void {
    this.#detector.added(row, now);
    if (!this.#sweeping) this.#sweepLater();
  }

  disconnected(row: Row<L>): void {
    this.#detector.removed(row);
  }

  /** A call has been picked: while any is pending, silence is watched. */
  picked(now: number): void {
    if (this.#lookAt !== Number.POSITIVE_INFINITY) return;
    this.#lookAt = now + LOOK_MS;
    this.setTimer('look', LOOK_MS);
  }

  finished(row: Row<L>, outcome: Outcome, p99Ms: P99, now: number): EjectionChange<Row<L>> | undefined {
    return this.#detector.finished(row, outcome, p99Ms, now);
  }

  /**
   * The row that this call is to probe, past the picker: one whose ejection is over. A call with a key or a group goes
   * where it belongs, and probes nothing.
   */
  probe({ key, group, exclude }: Request<L>, now: number): Row<L> | undefined {
    if (key !== undefined || group !== undefined || !this.#detector.anyDue(now)) return undefined;
    const row = this.#detector.due(now, (due) => due.candidate && !due.full && !exclude?.has(due));
    if (row === undefined) return undefined;
    this.#detector.probing(row, now);
    return row;
  }

  /** Looks at what waits. `pending`: so many calls are on their way, and there is reason to look again. */
  look(
    unanswered: (row: Row<L>) => Iterable<UnansweredCall>,
    p99Ms: P99,
    pending: number,
    now: number,
  ): EjectionChange<Row<L>>[] {
    this.#noticeStandStill(now);
    this.#lookAt = Number.POSITIVE_INFINITY;
    const changes = this.#detector.checkHung(unanswered, p99Ms, now);
    if (pending > 0) this.picked(now);
    return changes;
  }

  /** The end of an interval. */
  sweep(now: number): EjectionChange<Row<L>>[] {
    this.#sweepLater();
    return this.#detector.sweep(now);
  }

  stop(): void {
    this.setTimer('sweep', undefined);
    this.setTimer('look', undefined);
  }

  /** Whether this process stood still while such a call went on: then its latency is no server's. */
  stoodStillIn({ latencyMs = 0 }: Outcome, now: number): boolean {
    this.#noticeStandStill(now);
    return now - latencyMs < this.#stoodStillUntil;
  }

  /** A look that is overdue by so much was not made because nothing ran at all. */
  #noticeStandStill(now: number): void {
    if (now - this.#lookAt < STAND_STILL_MS) return;
    this.#lookAt = now;
    this.#stoodStillUntil = now;
    this.#detector.stoodStill(now);
  }

  #sweepLater(): void {
    this.#sweeping = true;
    this.setTimer('sweep', this.#detector.options.intervalMs);
  }
}
