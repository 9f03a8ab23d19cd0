import type { Random } from '../../base/random.js';
import { exponential, unit } from './distribution.js';

/** When calls come, as it is simulated. Rates are in calls a millisecond. */
export type ArrivalPlan =
  | (Rated & { readonly kind: 'poisson' | 'uniform' })
  | (Rated & {
      readonly kind: 'bursts';
      readonly factor: number;
      readonly burstMs: number;
      readonly calmMs: number;
    })
  | { readonly kind: 'trace'; readonly times: Float64Array; readonly repeatMs: number };

interface Rated {
  readonly perMs: number;
  /** In order; before the first the factor is 1. */
  readonly steps: readonly { readonly atMs: number; readonly factor: number }[];
}

/** A stream of arrivals. */
export interface Arrivals {
  /** When the next call comes; `Infinity` when no more do. */
  readonly nextAt: number;
  /** The next but one is the next from now on. */
  advance(): void;
}

export function arrivals(plan: ArrivalPlan, random: Random): Arrivals {
  switch (plan.kind) {
    case 'poisson':
      return new RatedArrivals(plan, () => exponential(random), undefined);
    case 'uniform':
      return new RatedArrivals(plan, () => 1, undefined);
    case 'bursts':
      return new RatedArrivals(plan, () => exponential(random), new Bursts(plan, random));
    case 'trace':
      return new TraceArrivals(plan.times, plan.repeatMs);
  }
}

/**
 * Arrivals at a rate that is constant for a while: the gap to the next is drawn in units of calls expected, and the time
 * is when that many have been expected. For exponential gaps that is a Poisson process, exactly, whatever the rate does.
 */
class RatedArrivals implements Arrivals {
  nextAt = 0;
  #step = 0;
  #rate: number;
  /** When the rate changes next. */
  #until = 0;

  constructor(
    private readonly plan: Rated,
    private readonly gap: () => number,
    private readonly bursts: Bursts | undefined,
  ) {
    this.#rate = plan.perMs;
    this.#change();
    this.advance();
  }

  advance(): void {
    let left = this.gap();
    let at = this.nextAt;
    while (at + this.#timeFor(left) > this.#until) {
      left = Math.max(0, left - (this.#until - at) * this.#rate);
      at = this.#until;
      this.#change();
    }
    this.nextAt = at + this.#timeFor(left);
  }

  /** How long it takes until so many calls are expected: for ever at a rate of 0, even for the rest that rounding leaves. */
  #timeFor(calls: number): number {
    return this.#rate === 0 ? Number.POSITIVE_INFINITY : calls / this.#rate;
  }

  /** The rate from `until` on, and until when it holds. */
  #change(): void {
    const { steps, perMs } = this.plan;
    const now = this.#until;
    while (this.#step < steps.length && steps[this.#step]!.atMs <= now) this.#step++;
    const factor = steps[this.#step - 1]?.factor ?? 1;
    this.#until = steps[this.#step]?.atMs ?? Number.POSITIVE_INFINITY;
    this.#rate = perMs * factor;
    // Bursts of nothing would come and go for ever: those that are missed are caught up with at the next step.
    if (this.bursts === undefined || factor === 0) return;
    this.#rate *= this.bursts.factorAt(now);
    this.#until = Math.min(this.#until, this.bursts.until);
  }
}

/**
 * A process of two states, each of an exponential duration: with Poisson arrivals at a rate for each it is a
 * Markov-modulated Poisson process. The factors are such that their mean over time is 1. Begins calm or not as it would be
 * found at any time.
 */
class Bursts {
  /** When the state changes next. */
  until: number;
  #bursting: boolean;
  readonly #calm: number;

  constructor(
    private readonly plan: { readonly factor: number; readonly burstMs: number; readonly calmMs: number },
    private readonly random: Random,
  ) {
    const { factor, burstMs, calmMs } = plan;
    this.#calm = (burstMs + calmMs) / (factor * burstMs + calmMs);
    this.#bursting = unit(random) < burstMs / (burstMs + calmMs);
    this.until = this.#lasts();
  }

  /** The factor of the rate. Times are asked for in order. */
  factorAt(now: number): number {
    while (this.until <= now) {
      this.#bursting = !this.#bursting;
      this.until += this.#lasts();
    }
    return this.#bursting ? this.plan.factor * this.#calm : this.#calm;
  }

  #lasts(): number {
    const { burstMs, calmMs } = this.plan;
    return exponential(this.random) * (this.#bursting ? burstMs : calmMs);
  }
}

/** Arrivals as they were written down. */
class TraceArrivals implements Arrivals {
  nextAt: number;
  #next = 0;
  #offset = 0;

  /** @param repeatMs - after so long it begins again; `Infinity`: not. */
  constructor(
    private readonly times: Float64Array,
    private readonly repeatMs: number,
  ) {
    this.nextAt = times[0]!;
  }

  advance(): void {
    if (++this.#next === this.times.length) {
      this.#next = 0;
      this.#offset += this.repeatMs;
    }
    this.nextAt = this.#offset + this.times[this.#next]!;
  }
}
