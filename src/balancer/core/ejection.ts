import type { Clock } from '../../base/clock.js';
import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Request } from './dispatcher.js';
import { OutlierDetector, type OutlierOptions, type Verdict } from './outlier.js';

/** How often the pending calls are looked at, while there are any. */
const LOOK_MS = 100;

/** What ejection looks at of what hangs on a row. */
export interface Watched {
  readonly connection: { oldestCallAt(): number | undefined } | undefined;
}

/** What ejection needs of the pool. */
export interface EjectionHost<L> {
  readonly clock: Clock;
  /** The 99th percentile of the pool's recent latencies, in milliseconds; undefined while it knows too few. */
  p99(): number | undefined;
  /** Calls picked and not finished. */
  pending(): number;
  apply(verdict: Verdict<Row<L>>): void;
}

/** Runs the outlier detector on the pool's rows: its timers, and the calls that probe. */
export class Ejection<L extends Watched> {
  readonly #detector: OutlierDetector<Row<L>>;
  #cancelSweep: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(
    options: OutlierOptions,
    private readonly host: EjectionHost<L>,
  ) {
    this.#detector = new OutlierDetector(options);
  }

  /** The row is connected: as a new server. */
  connected(row: Row<L>): void {
    this.#detector.added(row, this.host.clock.now());
    this.#cancelSweep ??= this.#sweepLater();
  }

  disconnected(row: Row<L>): void {
    this.#detector.removed(row);
  }

  /** A call has been picked: while any is pending, silence is watched. */
  started(): void {
    this.#cancelLook ??= this.host.clock.after(LOOK_MS, () => this.#look());
  }

  finished(row: Row<L>, outcome: Outcome, now: number): void {
    const verdict = this.#detector.finished(row, outcome, () => this.host.p99(), now);
    if (verdict !== undefined) this.host.apply(verdict);
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

  stop(): void {
    this.#cancelSweep?.();
    this.#cancelLook?.();
  }

  #look(): void {
    this.#cancelLook = undefined;
    const oldest = (row: Row<L>) => row.link?.connection?.oldestCallAt();
    for (const verdict of this.#detector.checkHung(oldest, this.host.p99(), this.host.clock.now())) {
      this.host.apply(verdict);
    }
    if (this.host.pending() > 0) this.started();
  }

  #sweepLater(): () => void {
    return this.host.clock.after(this.#detector.options.intervalMs, () => {
      for (const verdict of this.#detector.sweep(this.host.clock.now())) this.host.apply(verdict);
      this.#cancelSweep = this.#sweepLater();
    });
  }
}
