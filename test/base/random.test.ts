import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom, systemRandom, uniform } from '../../src/base/random.js';
import { chiSquared, chiSquaredLimit } from '../support/chi-squared.js';

const TWO_32 = 2 ** 32;

/** What Lemire's method and plain rejection give for a draw, in exact integers. */
function exactly(draws: readonly number[], n: number, multiply: boolean): number | undefined {
  const big = BigInt(n);
  for (const draw of draws.map(BigInt)) {
    const two32 = BigInt(TWO_32);
    if (multiply) {
      if ((draw * big) % two32 >= two32 % big) return Number((draw * big) / two32);
    } else if (draw < two32 - (two32 % big)) {
      return Number(draw % big);
    }
  }
  return undefined;
}

function scripted(draws: readonly number[]): () => number {
  let i = 0;
  return () => {
    if (i === draws.length) throw new RangeError('no draws left');
    return draws[i++]!;
  };
}

describe('uniform', () => {
  const draw = fc.oneof(
    fc.integer({ min: 0, max: TWO_32 - 1 }),
    fc.constantFrom(0, 1, TWO_32 - 1, TWO_32 - 2, 2 ** 31),
  );

  it.each([
    ['below the bound of exact products', fc.integer({ min: 1, max: 2 ** 21 }), true],
    ['around it', fc.constantFrom(2 ** 21 - 1, 2 ** 21), true],
    ['just above it', fc.constantFrom(2 ** 21 + 1, 2 ** 21 + 3), false],
    ['above it', fc.integer({ min: 2 ** 21 + 1, max: TWO_32 }), false],
  ])('gives what exact integers give, %s', (_, bound, multiply) => {
    fc.assert(
      fc.property(bound, fc.array(draw, { minLength: 8, maxLength: 8 }), (n, draws) => {
        const wanted = exactly(draws, n, multiply);
        const random = uniform(scripted(draws));
        if (wanted === undefined) expect(() => random(n)).toThrow(RangeError);
        else expect(random(n)).toBe(wanted);
      }),
      { numRuns: 500 },
    );
  });

  it('takes 1 and 2^32', () => {
    expect(uniform(scripted([5]))(1)).toBe(0);
    expect(uniform(scripted([TWO_32 - 1]))(TWO_32)).toBe(TWO_32 - 1);
  });
});

describe('a seeded random', () => {
  it('repeats itself by seed, and differs by seed', () => {
    const draws = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 20 }, () => random(1_000_000));
    };
    expect(draws(7)).toEqual(draws(7));
    expect(draws(7)).not.toEqual(draws(8));
    // Pinned: equal seeds give equal sequences on every platform, in every version.
    expect(draws(1).slice(0, 4)).toEqual([184_526, 748_632, 37_306, 267_997]);
  });

  it.each([2, 3, 10, 100])('spreads evenly over %i', (n) => {
    const random = seededRandom(n);
    const counts = new Array<number>(n).fill(0);
    for (let i = 0; i < 20_000; i++) counts[random(n)]!++;
    expect(chiSquared(counts)).toBeLessThan(chiSquaredLimit(n - 1));
  });
});

it('the system seeds differ', () => {
  const [a, b] = [systemRandom(), systemRandom()];
  expect(Array.from({ length: 4 }, () => a(TWO_32))).not.toEqual(Array.from({ length: 4 }, () => b(TWO_32)));
});
