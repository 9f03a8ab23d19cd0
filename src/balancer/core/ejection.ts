import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Request } from './dispatcher.js';
import { type EjectionChange, OutlierDetector, type OutlierOptions } from './outlier.js';

/** How often the pending calls are looked at, while there are any. */
const LOOK_MS = 100;

/** What ejection asks for: to be called again in `ms`, by {@link Ejection.sweep} or {@link Ejection.look}. */
export type EjectionTimer = 'sweep' | 'look';

/**
 * The outlier detector on the rows of a table: which of them it is told of, when it looks, and which call probes. Pure:
 * it asks for its timers, and hands back what is to change.
 */
export class Ejection<L> {
  readonly #detector: OutlierDetector<Row<L>>;
  /** Whether the age of calls is looked at: without it, nobody need know when they began. */
  readonly watchesHung: boolean;
  #sweeping = false;
  #looking = false;

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
  picked(): void {
    if (this.#looking || !this.watchesHung) return;
    this.#looking = true;
    this.setTimer('look', LOOK_MS);
  }

  finished(
    row: Row<L>,
    outcome: Outcome,
    p99Ms: (now: number) => number | undefined,
    now: number,
  ): EjectionChange<Row<L>> | undefined {
    return this.#detector.finished(row, outcome, p99Ms, now);
  }

  /**
   * The row that this call is to probe, past the picker: one whose ejection is over. A call with a key or a group goes
   * where it belongs, and probes nothing.
   */
  probe({ key, group, exclude }: Request<L>, now: number): Row<L> | undefined {
    if (key !== undefined || group !== undefined) return undefined;
    const row = this.#detector.due(now);
    if (row === undefined || !row.candidate || row.full || exclude?.has(row)) return undefined;
    this.#detector.probing(row, now);
    return row;
  }

  /** Looks at what waits. `pending`: so many calls are on their way, and there is reason to look again. */
  look(
    oldestCallAt: (row: Row<L>) => number | undefined,
    p99Ms: number | undefined,
    pending: number,
    now: number,
  ): EjectionChange<Row<L>>[] {
    this.#looking = false;
    const changes = this.#detector.checkHung(oldestCallAt, p99Ms, now);
    if (pending > 0) this.picked();
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

  #sweepLater(): void {
    this.#sweeping = true;
    this.setTimer('sweep', this.#detector.options.intervalMs);
  }
}
