import { numberOption } from '../../base/options.js';
import { NONE, SlotLists, withRoom } from '../../base/slot-lists.js';
import type { Candidate } from './picker.js';

/** How a candidate that joins is brought up to its share. */
export interface SlowStartOptions {
  /** How long it takes, in milliseconds: 60,000, say. */
  readonly windowMs: number;
  /** The shape: 1 is linear, more is faster at first. Default 1; at least 0.01. */
  readonly aggression?: number;
  /** The least part of its share that it gets. Default 0.1; from 0.001 to 1. */
  readonly minimum?: number;
}

/** The options, with their defaults. @throws BalancerError INVALID_OPTION */
export function slowStartOptions(options: SlowStartOptions): Required<SlowStartOptions> {
  return {
    windowMs: numberOption('slowStart.windowMs', options.windowMs, { min: 1 }),
    aggression: numberOption('slowStart.aggression', options.aggression ?? 1, { min: 0.01 }),
    minimum: numberOption('slowStart.minimum', options.minimum ?? 0.1, { min: 0.001, max: 1 }),
  };
}

/** What stands in for the time of joining of a candidate whose window is over. */
const LONG_AGO = Number.NEGATIVE_INFINITY;

/**
 * Who of those that joined sits out for now. In its window a candidate gets at most the part
 * max(minimum, (age / window)^(1 / aggression)) of an even share, as in Envoy's slow start (`SlowStartConfig`), relative
 * to the oldest candidate there is: where everybody is new, everybody is equal.
 *
 * After each call at a part s, it sits out until 1/s rounds (as many picks as there are candidates) have passed since
 * the call was due. Scaling its cost by 1/s instead would leave it without any call to get warm by in an idle set, and
 * drawing it more rarely would not hold it back in a busy one, where it is the least loaded whenever it is drawn.
 *
 * Nobody tells a picker the time when a candidate joins: it counts as having joined at the next pick.
 */
export class SlowStart {
  /** By slot; NaN until the time is told. */
  #joinedAt = new Float64Array(16);
  /** By slot: the count of picks from which on it does not sit out. */
  #backAt = new Float64Array(16);
  #picks = 0;
  /** Those within their window, the oldest first. */
  readonly #joiners = new SlotLists();
  #oldest = NONE;
  #joining = 0;
  #members = 0;
  #untold = false;

  /** @param settled - hears of every slot whose window is over. */
  constructor(
    private readonly options: Required<SlowStartOptions>,
    private readonly settled: (slot: number) => void = () => {},
  ) {}

  /** How many calls were started. */
  get picks(): number {
    return this.#picks;
  }

  added({ slot }: Candidate): void {
    this.#joinedAt = withRoom(this.#joinedAt, slot);
    this.#backAt = withRoom(this.#backAt, slot);
    this.#joinedAt[slot] = Number.NaN;
    this.#backAt[slot] = this.#picks;
    this.#oldest = this.#joiners.append(this.#oldest, slot);
    this.#joining++;
    this.#members++;
    this.#untold = true;
  }

  removed({ slot }: Candidate): void {
    if (this.#isJoining(slot)) this.#settle(slot);
    this.#members--;
  }

  /** Tells the time; to be called before every pick. */
  tick(now: number): void {
    if (this.#oldest === NONE) return;
    if (this.#untold) {
      this.#untold = false;
      let slot = this.#oldest;
      do {
        if (Number.isNaN(this.#joinedAt[slot])) this.#joinedAt[slot] = now;
        slot = this.#joiners.next(slot);
      } while (slot !== this.#oldest);
    }
    while (this.#oldest !== NONE && now - this.#joinedAt[this.#oldest]! >= this.options.windowMs) {
      const slot = this.#oldest;
      this.#settle(slot);
      this.settled(slot);
    }
  }

  /** A call was started on the candidate, which need not be there any more. */
  started(slot: number, now: number): void {
    this.#picks++;
    const share = this.share(slot, now);
    if (share >= 1) return;
    const rest = this.#members / share;
    this.#backAt[slot] = Math.max(this.#backAt[slot]!, this.#picks - rest) + rest;
  }

  sitsOut(slot: number): boolean {
    return this.#picks < this.#backAt[slot]! && this.#isJoining(slot);
  }

  /** The count of picks from which on a candidate that sits out does so no more. */
  backAt(slot: number): number {
    return this.#backAt[slot]!;
  }

  /** Over 0, and 1 for whoever is not joining. */
  share(slot: number, now: number): number {
    if (!this.#isJoining(slot)) return 1;
    const own = this.#part(slot, now);
    return this.#members > this.#joining ? own : own / this.#part(this.#oldest, now);
  }

  #isJoining(slot: number): boolean {
    return this.#joinedAt[slot] !== LONG_AGO;
  }

  #part(slot: number, now: number): number {
    const { windowMs, aggression, minimum } = this.options;
    const age = Math.max(0, now - this.#joinedAt[slot]!);
    return Math.min(1, Math.max(minimum, (age / windowMs) ** (1 / aggression)));
  }

  #settle(slot: number): void {
    this.#oldest = this.#joiners.remove(this.#oldest, slot);
    this.#joinedAt[slot] = LONG_AGO;
    this.#joining--;
  }
}
