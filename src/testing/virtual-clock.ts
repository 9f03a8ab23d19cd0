import type { Clock } from '../base/clock.js';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/**
 * A {@link Clock} that stands still until it is told to move. Timers run in order of time, those of the same moment
 * in the order in which they were set, each with `now()` at its own moment.
 */
export class VirtualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  /** @param epoch - what `epochNow()` says at virtual time 0. */
  constructor(readonly epoch = 1_700_000_000_000) {}

  now(): number {
    return this.#now;
  }

  epochNow(): number {
    return this.epoch + this.#now;
  }

  after(ms: number, run: () => void): () => void {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const timer: Timer = { at: this.#now + Math.max(0, ms), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set: 0 when nothing was left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Moves time on by `ms`, running what falls due. Between timers it lets the promises that they settled run, so
   * that code which awaits and then sets a new timer within the span sees that one run too.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let due = this.#earliest(until); due !== undefined; due = this.#earliest(until)) {
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
      await settle();
    }
    this.#now = until;
    await settle();
  }

  /** Time passes and nothing runs, as in a process that is stopped. What fell due runs with the next `advance`, late. */
  jump(ms: number): void {
    this.#now += ms;
  }

  #earliest(until: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (earliest === undefined || timer.at < earliest.at)) earliest = timer;
    }
    return earliest;
  }
}

/** Lets promise reactions run until they have most surely all run: a chain of awaits takes one turn a link. */
export async function settle(turns = 50): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve();
}
