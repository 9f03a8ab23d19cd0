import { describe, expect, it } from 'vitest';
import { random } from '../../../src/balancer/pickers/random.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidates } from '../../../src/testing/index.js';
import { chiSquared, chiSquaredLimit } from '../../support/chi-squared.js';

const candidates = (n: number, seed: number) => {
  const set = new FakeCandidates(random()({ random: seededRandom(seed) }));
  for (let i = 0; i < n; i++) set.add();
  return set;
};

describe('random', () => {
  it('is uniform over the candidates', () => {
    for (const n of [2, 7, 100]) {
      const set = candidates(n, n);
      for (let i = 0; i < 1_000 * n; i++) set.pick();
      expect(chiSquared(set.ready.map(({ pending }) => pending))).toBeLessThan(chiSquaredLimit(n - 1));
    }
  });

  it('is uniform over those that are not full, however few they are', () => {
    const set = candidates(50, 3);
    const free = set.ready.filter((candidate, at) => {
      if (at % 10 >= 2) candidate.limit = 0;
      return at % 10 < 2;
    });
    for (let i = 0; i < 20_000; i++) set.pick();
    expect(chiSquared(free.map(({ pending }) => pending))).toBeLessThan(chiSquaredLimit(free.length - 1));
  });

  it('has no pattern from one pick to the next', () => {
    const set = candidates(6, 4);
    const pairs = new Array<number>(36).fill(0);
    let last = 0;
    for (let i = 0; i < 72_000; i++) {
      const { slot } = set.pick()!;
      pairs[last * 6 + slot]!++;
      last = slot;
    }
    expect(chiSquared(pairs)).toBeLessThan(chiSquaredLimit(35));
  });
});
