import type { Random } from '../../base/random.js';
import { unit } from './distribution.js';

/**
 * Keys of calls by Zipf's law: the nth of `count` with a probability proportional to n^-exponent. A draw is a binary search
 * in the cumulative probabilities.
 */
export class Keys {
  readonly #keys: readonly string[];
  readonly #cumulative: Float64Array;

  constructor(count: number, exponent: number) {
    this.#keys = Array.from({ length: count }, (_, i) => `key-${i + 1}`);
    this.#cumulative = new Float64Array(count);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += (i + 1) ** -exponent;
      this.#cumulative[i] = sum;
    }
  }

  draw(random: Random): string {
    const cumulative = this.#cumulative;
    const at = unit(random) * cumulative.at(-1)!;
    let low = 0;
    let high = cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return this.#keys[low]!;
  }
}
