import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weightedRoundRobin } from '../../../src/balancer/pickers/weighted-round-robin.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidates } from '../../../src/testing/index.js';

const candidates = (...weights: number[]) => {
  const set = new FakeCandidates(weightedRoundRobin()({ random: seededRandom(1) }));
  for (const weight of weights) set.add({ weight });
  return set;
};
const slots = (set: FakeCandidates, picks: number) =>
  Array.from({ length: picks }, () => set.pick()!.slot).join('');
/** How many picks each candidate gets. */
const counts = (set: FakeCandidates, picks: number) => {
  const before = set.ready.map(({ pending }) => pending);
  for (let i = 0; i < picks; i++) set.pick();
  return set.ready.map(({ pending }, i) => pending - before[i]!);
};

describe('weighted-round-robin', () => {
  it('spreads the turns of the heavy one', () => {
    expect(slots(candidates(5, 1, 1), 14)).toBe('01000200100020');
    expect(slots(candidates(1, 1, 1), 6)).toBe('102102');
    expect(slots(candidates(3, 2), 10)).toBe('1001010010');
  });

  it('gives exact proportions over every cycle, and over every window as long as one', () => {
    const weight = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 12 }), fc.nat(50), (weights, offset) => {
        const set = candidates(...weights);
        const cycle = weights.reduce((sum, one) => sum + one, 0);
        for (let i = 0; i < offset; i++) set.pick();
        for (let i = 0; i < 5; i++) expect(counts(set, cycle)).toEqual(weights);
      }),
    );
  });

  it('is still exact after a million picks', () => {
    const weights = [7, 3, 3, 1, 11];
    const set = candidates(...weights);
    for (let i = 0; i < 1_000_000; i++) set.pick();
    for (let i = 0; i < 20; i++) expect(counts(set, 25)).toEqual(weights);
  });

  it('never lets anybody wait for more than a turn and one more pick of each', () => {
    const set = candidates(...Array.from({ length: 50 }, () => 1), 50);
    const heavy = set.ready[50]!;
    let since = 0;
    for (let i = 0; i < 1_000; i++) {
      since = set.pick() === heavy ? 0 : since + 1;
      expect(since).toBeLessThanOrEqual(3);
    }
  });

  it('takes fractions', () => {
    expect(counts(candidates(0.5, 1.5, 0.25), 90)).toEqual([20, 60, 10]);
  });

  it('takes a new weight from the turn it is in', () => {
    const set = candidates(1, 1, 1, 1);
    for (let i = 0; i < 6; i++) set.pick();
    set.update(set.ready[2]!, { weight: 5 });
    expect(counts(set, 8)).toEqual([1, 1, 5, 1]);
    set.update(set.ready[2]!, { weight: 2 });
    expect(counts(set, 500)).toEqual([100, 100, 200, 100]);
  });

  it('keeps everybody in the turn they are in when all weights change alike, however often', () => {
    const steady = candidates(3, 2, 7);
    const scaled = candidates(3, 2, 7);
    const random = seededRandom(2);
    for (let i = 0; i < 5_000; i++) {
      const factor = 2 ** random(8);
      for (const [at, weight] of [3, 2, 7].entries())
        scaled.update(scaled.ready[at]!, { weight: weight * factor });
      expect(scaled.pick()!.slot).toBe(steady.pick()!.slot);
    }
  });

  it('gives one of weight 0 a call only when no other can have it, and shares evenly when all are 0', () => {
    const set = candidates(0, 2, 1, 0);
    expect(counts(set, 30)).toEqual([0, 20, 10, 0]);
    set.ready[1]!.limit = 0;
    set.ready[2]!.limit = 0;
    expect(counts(set, 10)).toEqual([5, 0, 0, 5]);
    set.ready[1]!.limit = 1e9;
    set.ready[2]!.limit = 1e9;
    for (const candidate of set.ready) set.update(candidate, { weight: 0 });
    expect(counts(set, 40)).toEqual([10, 10, 10, 10]);
    set.update(set.ready[3]!, { weight: 4 });
    expect(counts(set, 10)).toEqual([0, 0, 0, 10]);
  });

  it('gives the turns of one that is full to the others, in their proportions, and no more than its due later', () => {
    const set = candidates(3, 2, 1);
    set.ready[0]!.limit = 0;
    expect(counts(set, 300)).toEqual([0, 200, 100]);
    set.ready[0]!.limit = 1e9;
    const after = counts(set, 60);
    expect(Math.abs(after[0]! - 30)).toBeLessThanOrEqual(1);
    expect(Math.abs(after[1]! - 20)).toBeLessThanOrEqual(1);
    expect(counts(set, 6)).toEqual([3, 2, 1]);
  });

  it('has nothing to make up for once one that was full is not', () => {
    const set = candidates(10, 1);
    set.ready[0]!.limit = 0;
    expect(counts(set, 100)).toEqual([0, 100]);
    set.ready[0]!.limit = 1e9;
    const [heavy, light] = counts(set, 33);
    expect(Math.abs(heavy! - 30)).toBeLessThanOrEqual(1);
    expect(Math.abs(light! - 3)).toBeLessThanOrEqual(1);
  });

  it('lets who joins and leaves disturb nobody else', () => {
    const set = candidates(4, 2);
    for (let round = 0; round < 50; round++) {
      const joiner = set.add({ weight: 2 });
      const before = set.ready.slice(0, 2).map(({ pending }) => pending);
      for (let i = 0; i < 8; i++) set.pick();
      const got = set.ready.slice(0, 2).map(({ pending }, i) => pending - before[i]!);
      expect(Math.abs(got[0]! - 4)).toBeLessThanOrEqual(1);
      expect(Math.abs(got[1]! - 2)).toBeLessThanOrEqual(1);
      while (joiner.pending > 0) set.finish(joiner);
      set.remove(joiner);
    }
  });
});
