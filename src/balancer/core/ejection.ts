import type { Clock } from '../../base/clock.js';
import type { Link } from '../calls/call-host.js';
import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Request } from './dispatcher.js';
import { OutlierDetector, type OutlierOptions, type Verdict } from './outlier.js';

/** How often the pending calls are looked at, while there are any. */
const LOOK_MS = 100;

/** What ejection needs of the pool. */
export interface EjectionHost {
  readonly clock: Clock;
  /** The 99th percentile of the pool's recent latencies, in milliseconds; undefined while it knows too few. */
  p99(): number | undefined;
  /** Calls picked and not finished. */
  pending(): number;
  apply(verdict: Verdict<Row<Link>>): void;
}

/** Runs the outlier detector on the pool's rows: its timers, and the calls that probe. */
export class Ejection {
  readonly #detector: OutlierDetector<Row<Link>>;
  #cancelSweep: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(
    options: OutlierOptions,
    private readonly host: EjectionHost,
  ) {
    this.#detector = new OutlierDetector(options);
  }

  /** The row is connected: as a new server. */
  connected(row: Row<Link>): void {
    this.#detector.added(row, this.host.clock.now());
    this.#cancelSweep ??= this.#sweepLater();
  }

  disconnected(row: Row<Link>): void {
    this.#detector.removed(row);
  }

  /** A call has been picked: while any is pending, silence is watched. */
  started(): void {
    this.#cancelLook ??= this.host.clock.after(LOOK_MS, () => this.#look());
  }

  finished(row: Row<Link>, outcome: Outcome, now: number): void {
    const verdict = this.#detector.finished(row, outcome, () => this.host.p99(), now);
    if (verdict !== undefined) this.host.apply(verdict);
  }

  /**
   * The row that this call is to probe, past the picker: one whose ejection is over. A call with a key or a group goes
   * where it belongs, and probes nothing.
   */
  probe({ key, group, exclude }: Request<Link>, now: number): Row<Link> | undefined {
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
    const oldest = (row: Row<Link>) => row.link?.connection?.oldestCallAt();
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
