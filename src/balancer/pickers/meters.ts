import { numberOption } from '../../base/options.js';
import { withRoom } from '../../base/slot-lists.js';
import { answerOf } from './answer.js';
import type { Candidate, Outcome } from './picker.js';

/**
 * How loaded a candidate is: apart from the choice that a picker makes of it, as in tower's `load` and `balance`.
 *
 * Contract:
 * - `cost` is asked of READY candidates only, several times a pick: it allocates nothing, and what it answers at one `now` stays
 *   the same until the next hook;
 * - hooks come as a picker's do: `finished` may come after `removed`, and `added` with calls pending. What is kept by
 *   `slot` is begun anew in `added`;
 * - one meter serves one picker. A meter without hooks has no state, and may serve all of them.
 */
export interface Meter {
  /** The name of a picker that compares by it, for people. */
  readonly name: string;
  /**
   * What one more call on the candidate would cost: finite, 0 or more, and comparable between candidates. Reading
   * changes nothing.
   *
   * @param now - monotonic milliseconds.
   */
  cost(candidate: Candidate, now: number): number;
  // As in Picker, of whose hooks these are a part.
  added?(candidate: Candidate): void;
  removed?(candidate: Candidate): void;
  started?(candidate: Candidate, now: number): void;
  finished?(candidate: Candidate, now: number, outcome: Outcome): void;
}

/** Makes a meter for one picker. */
export type MeterFactory = () => Meter;

/** The calls that are pending, and the one to come. */
export const pending: MeterFactory = () => PENDING;

const PENDING: Meter = { name: 'pending', cost: (candidate) => candidate.pending + 1 };

export interface PeakEwmaOptions {
  /** The time in which what was learnt fades to 1/e, in milliseconds. Default 10,000 (finagle, linkerd2-proxy). */
  readonly tauMs?: number;
  /** A failed call counts as having taken this long at least, in milliseconds. Default 5,000 (Linkerd). */
  readonly failureMs?: number;
  /** What a candidate without peers is taken for, in milliseconds. Default 30 (linkerd2-proxy). */
  readonly initialMs?: number;
  /**
   * Which status codes are the server's failures. Default: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED,
   * INTERNAL, UNAVAILABLE, DATA_LOSS, a server's own CANCELLED, and what is no code: those that a server which is unwell answers,
   * often faster than a healthy one.
   */
  readonly isFailure?: (code: number) => boolean;
}

/**
 * Cost = ewma x (pending + 1), where ewma is a moving average of latency that is exponentially weighted by time, and
 * takes a peak at once (finagle's PeakEwma, tower's `peak_ewma`):
 *
 *     latency >= ewma:  ewma = latency
 *     else:             ewma = ewma x w + latency x (1 - w),  w = e^(-elapsed / tau)
 *
 * Read between calls it decays as if 0 had been observed, so that one that was slow gets another chance in time. A
 * failed call counts as `failureMs` at least: a server that fails fast must not look fast. A cancelled call took
 * longer than its latency, so it may only raise the average. Who joins starts at the median of its peers.
 *
 * For servers whose speed differs or changes: a pause for garbage, a cold cache, a noisy neighbour. Latency is seen in one
 * call, where pending calls take some to pile up.
 *
 * ```ts
 * import { peakEwma, powerOfTwo } from 'evenkeel';
 *
 * // NOT_FOUND (5) is a server's failure in this service, and an answer of 2 s as bad as none.
 * export const picker = powerOfTwo({
 *   meter: peakEwma({ failureMs: 2_000, isFailure: (code) => code === 5 || code === 14 }),
 * });
 * ```
 *
 * @throws BalancerError INVALID_OPTION
 */
export function peakEwma(options: PeakEwmaOptions = {}): MeterFactory {
  const { tauMs = 10_000, failureMs = 5_000, initialMs = 30, isFailure } = options;
  numberOption('peakEwma.tauMs', tauMs, { min: 1 });
  numberOption('peakEwma.failureMs', failureMs, { min: 0 });
  numberOption('peakEwma.initialMs', initialMs, { min: 0 });
  return () => new PeakEwma(tauMs, failureMs, initialMs, isFailure);
}

/** The median of more peers than this is that of so many of them, spread evenly: to join must not cost O(n). */
const PEERS_ASKED = 65;

class PeakEwma implements Meter {
  readonly name = 'peak-ewma';
  /** Two numbers a slot: the average when it was last observed, and when that was. */
  #observed = new Float64Array(32);
  /** The slots in use, dense; and by slot, where in it. */
  readonly #members: number[] = [];
  readonly #positions: number[] = [];
  readonly #asked: number[] = [];
  /** The latest time told. `added` tells none, and before the first call there is none. */
  #now = Number.NaN;

  constructor(
    private readonly tauMs: number,
    private readonly failureMs: number,
    private readonly initialMs: number,
    private readonly isFailure: ((code: number) => boolean) | undefined,
  ) {}

  // `#read`, times the calls, as short as it can be: only then is it compiled into a pick, and its numbers need no objects.
  cost({ slot, pending }: Candidate, now: number): number {
    const observed = this.#observed;
    const elapsed = now - observed[2 * slot + 1]!;
    const ewma = observed[2 * slot]! * (pending + 1);
    return elapsed > 0 ? ewma * Math.exp(-elapsed / this.tauMs) : ewma;
  }

  added({ slot }: Candidate): void {
    this.#observed = withRoom(this.#observed, 2 * slot + 1);
    this.#observe(slot, this.#now, this.#members.length === 0 ? this.initialMs : this.#median());
    this.#positions[slot] = this.#members.push(slot) - 1;
  }

  removed({ slot }: Candidate): void {
    const last = this.#members.pop()!;
    if (last === slot) return;
    this.#members[this.#positions[slot]!] = last;
    this.#positions[last] = this.#positions[slot]!;
  }

  started(_candidate: Candidate, now: number): void {
    if (Number.isNaN(this.#now)) for (const slot of this.#members) this.#observed[2 * slot + 1] = now;
    this.#now = now;
  }

  finished({ slot }: Candidate, now: number, outcome: Outcome): void {
    const { code, latencyMs } = outcome;
    if (latencyMs === undefined) return;
    const answer = answerOf(outcome);
    if (answer === 'nothing') {
      if (latencyMs > this.#read(slot, now)) this.#observe(slot, now, latencyMs);
      return;
    }
    const failed = this.isFailure?.(code) ?? (answer === 'failure' || answer === 'late');
    const observed = failed ? Math.max(latencyMs, this.failureMs) : latencyMs;
    const ewma = this.#observed[2 * slot]!;
    const kept = observed >= ewma ? 0 : this.#decay(slot, now);
    this.#observe(slot, now, ewma * kept + observed * (1 - kept));
  }

  #observe(slot: number, now: number, ewma: number): void {
    this.#observed[2 * slot] = ewma;
    this.#observed[2 * slot + 1] = now;
  }

  #read(slot: number, now: number): number {
    return this.#observed[2 * slot]! * this.#decay(slot, now);
  }

  #decay(slot: number, now: number): number {
    const elapsed = now - this.#observed[2 * slot + 1]!;
    return elapsed > 0 ? Math.exp(-elapsed / this.tauMs) : 1;
  }

  #median(): number {
    const peers = this.#members.length;
    const asked = Math.min(peers, PEERS_ASKED);
    this.#asked.length = 0;
    for (let i = 0; i < asked; i++) {
      this.#asked.push(this.#read(this.#members[Math.floor((i * peers) / asked)]!, this.#now));
    }
    this.#asked.sort((a, b) => a - b);
    return (this.#asked[(asked - 1) >> 1]! + this.#asked[asked >> 1]!) / 2;
  }
}
