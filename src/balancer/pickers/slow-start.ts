import { numberOption } from '../../options.js';
import type { Candidate } from '../picker.js';
import { NONE, SlotLists, withRoom } from './slot-lists.js';

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
 * Which part of its share a candidate gets: max(minimum, (age / window)^(1 / aggression)), as in Envoy's slow start
 * (`SlowStartConfig`), relative to the oldest candidate there is: where everybody is new, everybody is equal.
 *
 * Nobody tells a picker the time when a candidate joins. It counts as having joined at the next pick: no sooner could
 * it have got warm.
 */
export class SlowStart {
  /** By slot; NaN until the time is told. */
  #joinedAt = new Float64Array(16);
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

  /** How many candidates there are, joining or not. */
  get members(): number {
    return this.#members;
  }

  added({ slot }: Candidate): void {
    this.#joinedAt = withRoom(this.#joinedAt, slot);
    this.#joinedAt[slot] = Number.NaN;
    this.#oldest = this.#joiners.append(this.#oldest, slot);
    this.#joining++;
    this.#members++;
    this.#untold = true;
  }

  removed({ slot }: Candidate): void {
    if (this.isJoining(slot)) this.#settle(slot);
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

  isJoining(slot: number): boolean {
    return this.#joinedAt[slot] !== LONG_AGO;
  }

  /** Over 0, and 1 for whoever is not joining. */
  share(slot: number, now: number): number {
    if (!this.isJoining(slot)) return 1;
    const own = this.#part(slot, now);
    return this.#members > this.#joining ? own : own / this.#part(this.#oldest, now);
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
