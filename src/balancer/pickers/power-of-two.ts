import { numberOption } from '../../base/options.js';
import type { Random } from '../../base/random.js';
import { type Meter, type MeterFactory, pending } from './meters.js';
import {
  type Candidate,
  eligible,
  type Outcome,
  type PickContext,
  type Picker,
  type PickerFactory,
} from './picker.js';
import { SlowStart, type SlowStartOptions, slowStartOptions } from './slow-start.js';

export interface PowerOfTwoOptions {
  /** How many candidates are drawn: an integer from 2 to 10 (gRFC A48). Default 2. */
  readonly choices?: number;
  /** By what they are compared. Default {@link pending}. By another, the picker bears the name of its meter. */
  readonly meter?: MeterFactory;
  /** Brings those who join up to their share slowly: one who sits out is drawn again for, up to four times. Default: off. */
  readonly slowStart?: SlowStartOptions;
}

/** So many draws may meet a full or excluded candidate before all are looked at. */
const REJECTIONS = 4;

/**
 * Draws some candidates at random, all distinct, and takes the one that costs the least: nearly as good as the least of
 * all, at O(1) whatever the meter (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). Where
 * four draws met a full or excluded candidate, it looks at all of them and takes the least.
 *
 * For large fleets with many clients: clients that all take the one best server run after each other, and to draw first spreads
 * them. The cost is a {@link Meter}'s: pending calls unless another is given.
 *
 * ```ts
 * import { peakEwma, powerOfTwo, type Pool } from 'evenkeel';
 *
 * export function swap(pool: Pool): void {
 *   pool.setPicker(powerOfTwo({ choices: 3, meter: peakEwma({ tauMs: 5_000 }) }));
 * }
 * ```
 *
 * @throws BalancerError INVALID_OPTION
 */
export function powerOfTwo(options: PowerOfTwoOptions = {}): PickerFactory {
  const { choices = 2, meter = pending } = options;
  numberOption('powerOfTwo.choices', choices, { min: 2, max: 10, integer: true });
  const slowStart = options.slowStart && slowStartOptions(options.slowStart);
  return ({ random }) => {
    const made = meter();
    const name = meter === pending ? 'power-of-two' : made.name;
    return new PowerOfTwo(name, choices, made, slowStart && new SlowStart(slowStart), random);
  };
}

class PowerOfTwo implements Picker {
  /** The indices drawn for the pick under way, in ascending order. */
  readonly #drawn = new Int32Array(10 + 2 * REJECTIONS);

  constructor(
    readonly name: string,
    private readonly choices: number,
    private readonly meter: Meter,
    private readonly slowStart: SlowStart | undefined,
    private readonly random: Random,
  ) {}

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    const { choices, meter, slowStart } = this;
    if (choices === 2 && slowStart === undefined && ready.length > 1) {
      // The common case, at half the price, and short enough to be compiled into its caller with all that it calls.
      const first = this.random(ready.length);
      const other = this.random(ready.length - 1);
      const a = ready[first]!;
      // Added, not branched on: the engine could guess it no better than a coin.
      const b = ready[other + Number(other >= first)]!;
      if (eligible(a, call) && eligible(b, call)) {
        return meter.cost(b, call.now) < meter.cost(a, call.now) ? b : a;
      }
    }
    return this.#leastOfDrawn(ready, call);
  }

  #leastOfDrawn(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    const { choices, meter, slowStart } = this;
    slowStart?.tick(call.now);
    let best: Candidate | undefined;
    let least = Number.POSITIVE_INFINITY;
    let cold: Candidate | undefined;
    let found = 0;
    let rejected = 0;
    let tooCold = 0;
    for (let drawn = 0; found < choices && drawn < ready.length; drawn++) {
      const candidate = ready[this.#draw(ready.length, drawn)]!;
      if (!eligible(candidate, call)) {
        if (++rejected === REJECTIONS) return this.#leastOfAll(ready, call);
      } else if (slowStart?.sitsOut(candidate.slot) && tooCold < REJECTIONS) {
        tooCold++;
        cold ??= candidate;
      } else {
        found++;
        const cost = meter.cost(candidate, call.now);
        // The first drawn wins a tie: all of them are equally likely to be the first.
        if (best === undefined || cost < least) {
          best = candidate;
          least = cost;
        }
      }
    }
    return best ?? cold;
  }

  added(candidate: Candidate): void {
    this.slowStart?.added(candidate);
    this.meter.added?.(candidate);
  }

  removed(candidate: Candidate): void {
    this.slowStart?.removed(candidate);
    this.meter.removed?.(candidate);
  }

  started(candidate: Candidate, now: number): void {
    this.slowStart?.started(candidate.slot, now);
    this.meter.started?.(candidate, now);
  }

  finished(candidate: Candidate, now: number, outcome: Outcome): void {
    this.meter.finished?.(candidate, now, outcome);
  }

  /** An index that was not drawn yet: one of those that are left, moved up past those that are not. */
  #draw(n: number, drawn: number): number {
    let index = this.random(n - drawn);
    let at = 0;
    while (at < drawn && index >= this.#drawn[at]!) {
      index++;
      at++;
    }
    for (let i = drawn; i > at; i--) this.#drawn[i] = this.#drawn[i - 1]!;
    this.#drawn[at] = index;
    return index;
  }

  /** Begins at a random place, so that ties favour nobody. */
  #leastOfAll(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    let best: Candidate | undefined;
    let least = Number.POSITIVE_INFINITY;
    const start = this.random(ready.length);
    for (let i = 0; i < ready.length; i++) {
      const at = start + i;
      const candidate = ready[at < ready.length ? at : at - ready.length]!;
      if (!eligible(candidate, call)) continue;
      const cost = this.meter.cost(candidate, call.now);
      if (best === undefined || cost < least) {
        best = candidate;
        least = cost;
      }
    }
    return best;
  }
}
