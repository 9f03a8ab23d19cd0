import { describe, expect, it } from 'vitest';
import type { MeterFactory } from '../../../src/balancer/pickers/meters.js';
import { peakEwma } from '../../../src/balancer/pickers/meters.js';
import { type PowerOfTwoOptions, powerOfTwo } from '../../../src/balancer/pickers/power-of-two.js';
import { type Random, seededRandom } from '../../../src/base/random.js';
import { FakeCandidates } from '../../../src/testing/index.js';
import { chiSquared, chiSquaredLimit } from '../../support/chi-squared.js';

const candidates = (n: number, random: Random, options?: PowerOfTwoOptions) => {
  const set = new FakeCandidates(powerOfTwo(options)({ random }));
  for (let i = 0; i < n; i++) set.add();
  return set;
};

/** Gives out the numbers of the script, and checks what it is asked for. */
const scripted = (...script: [n: number, result: number][]): Random => {
  return (n) => {
    const [asked, result] = script.shift() ?? [Number.NaN, 0];
    expect(n).toBe(asked);
    return result;
  };
};

/** The cost of each is its slot, whatever is pending. */
const bySlot: MeterFactory = () => ({ name: 'slot', cost: ({ slot }) => slot });

describe('power-of-two', () => {
  it('draws two that are distinct, and takes the one with fewer pending', () => {
    const set = candidates(4, scripted([4, 1], [3, 1], [4, 2], [3, 0], [4, 2], [3, 2]));
    for (const [i, pending] of [0, 5, 3, 7].entries()) set.ready[i]!.pending = pending;
    expect(set.pick()).toBe(set.ready[2]); // 1 against 2: the second draw moves past the first
    expect(set.pick()).toBe(set.ready[0]); // 2 against 0
    expect(set.pick()).toBe(set.ready[2]); // 2 against 3
  });

  it('takes the first drawn of two that are equal', () => {
    const set = candidates(3, scripted([3, 2], [2, 0]));
    expect(set.pick()).toBe(set.ready[2]);
  });

  it('draws again for one that is full, and looks at all after four', () => {
    const draws: [number, number][] = [
      [8, 5],
      [7, 0], // 5 and 0, which is full: anew
      [8, 0],
      [7, 0], // 1
      [6, 5], // 7
      [5, 0], // 2
      [4, 0], // 3: the fourth that is full
      [8, 5], // where to begin
    ];
    const set = candidates(8, scripted(...draws), { meter: bySlot });
    for (const i of [0, 1, 2, 3]) set.ready[i]!.limit = 0;
    expect(set.pick()).toBe(set.ready[4]);
  });

  it.each([
    ['the least, wherever it begins', bySlot, 6, 4],
    [
      'the first of those that cost the same',
      (() => ({ name: 'flat', cost: () => 1 })) as MeterFactory,
      6,
      6,
    ],
    ['the first there is, from the end round to the start', bySlot, 3, 4],
  ])('takes %s when it looks at all', (_what, meter, start, slot) => {
    // Four draws that are full, the first of them beside one that is not.
    const draws: [number, number][] = [
      [8, 0],
      [7, 0],
      [8, 0],
      [7, 0],
      [6, 0],
      [5, 0],
      [8, start],
    ];
    const set = candidates(8, scripted(...draws), { meter });
    for (const i of [0, 1, 2, 3]) set.ready[i]!.limit = 0;
    expect(set.pick()).toBe(set.ready[slot]);
  });

  it('finds nothing where all are full, and the only one that is not', () => {
    const set = candidates(9, seededRandom(3));
    for (const candidate of set.ready) candidate.limit = 0;
    expect(set.pick()).toBeUndefined();
    set.ready[7]!.limit = 1;
    expect(set.pick()).toBe(set.ready[7]);
    expect(set.pick()).toBeUndefined();
  });

  it('draws every pair of candidates equally often', () => {
    const [n, choices] = [6, 2];
    const met = new Array<number>(n).fill(0);
    const set = candidates(n, seededRandom(5), { choices, meter: bySlot });
    for (let i = 0; i < 150_000; i++) met[set.pick()!.slot]!++;
    // The lowest of two distinct draws of n is k in (n - 1 - k) of n (n - 1) / 2 pairs.
    const expected = met.map((_, k) => (150_000 * (n - 1 - k)) / ((n * (n - 1)) / 2));
    expect(met[n - 1]).toBe(0);
    expect(chiSquared(met.slice(0, -1), expected.slice(0, -1))).toBeLessThan(chiSquaredLimit(n - 2));
  });

  it.each([3, 10])('draws %d that are distinct', (choices) => {
    const n = 14;
    const met = new Array<number>(n).fill(0);
    const set = candidates(n, seededRandom(6), { choices, meter: bySlot });
    for (let i = 0; i < 150_000; i++) met[set.pick()!.slot]!++;
    const subsets = (of: number, k: number): number => (k === 0 ? 1 : (of / k) * subsets(of - 1, k - 1));
    const expected = met.map((_, k) =>
      n - 1 - k < choices - 1 ? 0 : (150_000 * subsets(n - 1 - k, choices - 1)) / subsets(n, choices),
    );
    const possible = expected.filter((due) => due >= 5).length;
    expect(met.slice(n - choices + 1).every((count) => count === 0)).toBe(true);
    expect(chiSquared(met.slice(0, possible), expected.slice(0, possible))).toBeLessThan(
      chiSquaredLimit(possible - 1),
    );
  });

  it.each([3, 10])('finds the least of %d when it draws as many, wherever it is', (n) => {
    const set = candidates(n, seededRandom(8), { choices: n });
    for (let i = 0; i < 3_000; i++) {
      for (const candidate of set.ready) candidate.pending = 1;
      const least = set.ready[i % n]!;
      least.pending = 0;
      expect(set.pick()).toBe(least);
    }
  });

  it('favours none of those that cost the same, though most are full', () => {
    for (const full of [0, 3, 9]) {
      const set = candidates(12, seededRandom(7 + full), { meter: () => ({ name: 'flat', cost: () => 1 }) });
      for (let i = 0; i < full; i++) set.ready[i]!.limit = 0;
      for (let i = 0; i < 30_000; i++) set.pick();
      const counts = set.ready.slice(full).map(({ pending }) => pending);
      // Beside full neighbours the scan is not quite even: it begins at a random place.
      if (full === 0) expect(chiSquared(counts)).toBeLessThan(chiSquaredLimit(11));
      else expect(Math.min(...counts)).toBeGreaterThan(1_000);
    }
  });

  it('keeps the fullest of n bins at 3 or 4 after n balls, where one choice leaves 6 to 8', () => {
    // Mitzenmacher's thesis, table 1.1: n = 4,096.
    const set = candidates(4_096, seededRandom(8));
    for (let i = 0; i < 4_096; i++) set.pick();
    const most = Math.max(...set.ready.map(({ pending }) => pending));
    expect(most).toBeGreaterThanOrEqual(3);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('bears the name of its meter', () => {
    const random = seededRandom(1);
    expect(powerOfTwo()({ random }).name).toBe('power-of-two');
    expect(powerOfTwo({ meter: peakEwma() })({ random }).name).toBe('peak-ewma');
  });

  it.each([0, 1, 11, 2.5, Number.NaN, '3'])('refuses %s choices', (choices) => {
    expect(() => powerOfTwo({ choices: choices as number })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('powerOfTwo.choices'),
      }),
    );
  });
});
