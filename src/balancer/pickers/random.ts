import type { Random } from '../../base/random.js';
import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from './picker.js';

/** So many draws may meet a full or excluded candidate before the candidates that may be picked are counted. */
const REJECTIONS = 4;

/**
 * Each call to any candidate that may take it, all equally likely.
 *
 * For many small clients: nobody has a first one to which all of them would go at once, as they do by turns. With few calls the
 * shares are uneven: of n calls, a server gets its mean give or take the square root of it. O(1).
 */
export function random(): PickerFactory {
  return (env) => new RandomPicker(env.random);
}

class RandomPicker implements Picker {
  readonly name = 'random';
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    for (let draws = 0; draws < REJECTIONS; draws++) {
      const candidate = ready[this.#random(ready.length)]!;
      if (eligible(candidate, call)) return candidate;
    }
    return this.#drawFromEligible(ready, call);
  }

  /** Counted first, and the nth taken: to walk on from a random place would favour whoever follows a full one. */
  #drawFromEligible(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    let count = 0;
    for (const candidate of ready) if (eligible(candidate, call)) count++;
    if (count === 0) return undefined;
    let skip = this.#random(count);
    for (const candidate of ready) {
      if (eligible(candidate, call) && skip-- === 0) return candidate;
    }
    return undefined;
  }
}
