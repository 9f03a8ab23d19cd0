import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { type ArrivalPlan, arrivals } from '../../../src/simulator/scenario/arrivals.js';
import { Keys } from '../../../src/simulator/scenario/keys.js';

function times(plan: ArrivalPlan, untilMs: number, seed = 1): number[] {
  const stream = arrivals(plan, seededRandom(seed));
  const all: number[] = [];
  for (; stream.nextAt < untilMs; stream.advance()) all.push(stream.nextAt);
  return all;
}

/** The variance of the counts in windows of so many milliseconds, over their mean: 1 for a Poisson process. */
function dispersion(all: readonly number[], windowMs: number, untilMs: number): number {
  const counts = new Float64Array(untilMs / windowMs);
  for (const at of all) counts[Math.floor(at / windowMs)]! += 1;
  const mean = all.length / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length / mean;
}

describe('arrivals', () => {
  it('are a Poisson process, at the rate that is given', () => {
    const all = times({ kind: 'poisson', perMs: 2, steps: [] }, 100_000);
    expect(all.length / 200_000).toBeCloseTo(1, 2);
    expect(dispersion(all, 10, 100_000)).toBeCloseTo(1, 1);
  });

  it('are even where they are to be', () => {
    expect(times({ kind: 'uniform', perMs: 0.5, steps: [] }, 9)).toEqual([2, 4, 6, 8]);
  });

  it('follow the steps of the rate, in the midst of a gap, too, and through a time without calls', () => {
    const steps = [
      { atMs: 3, factor: 2 },
      { atMs: 5, factor: 0 },
      { atMs: 9, factor: 0.5 },
    ];
    // A call each 2 ms until 3, when half of the gap is over; each 1 ms until 5; each 4 ms from 9 on.
    expect(times({ kind: 'uniform', perMs: 0.5, steps }, 20)).toEqual([2, 3.5, 4.5, 11, 15, 19]);
    const all = times({ kind: 'poisson', perMs: 1, steps: [{ atMs: 50_000, factor: 3 }] }, 100_000);
    expect(all.filter((at) => at < 50_000).length / 50_000).toBeCloseTo(1, 1);
    expect(all.filter((at) => at >= 50_000).length / 150_000).toBeCloseTo(1, 1);
  });

  it('come in bursts, at the same rate in the mean', () => {
    const plan = {
      kind: 'bursts',
      perMs: 2,
      factor: 10,
      burstMs: 50,
      calmMs: 200,
      steps: [],
    } as const;
    const all = times(plan, 1_000_000);
    expect(all.length / 2_000_000).toBeCloseTo(1, 1);
    expect(dispersion(all, 50, 1_000_000)).toBeGreaterThan(20);
  });

  it('come in no bursts while none are to come, be it for ever', () => {
    const bursts = { kind: 'bursts', perMs: 2, factor: 10, burstMs: 50, calmMs: 200 } as const;
    const paused = [
      { atMs: 1_000, factor: 0 },
      { atMs: 50_000, factor: 1 },
    ];
    const all = times({ ...bursts, steps: paused }, 200_000);
    expect(all.some((at) => at >= 1_000 && at < 50_000)).toBe(false);
    expect(all.filter((at) => at >= 50_000).length / 300_000).toBeCloseTo(1, 1);
    expect(times({ ...bursts, steps: paused.slice(0, 1) }, 1e9).at(-1)).toBeLessThan(1_000);
  });

  it('stop where the rate does, however its changes are rounded', () => {
    for (let i = 1; i < 2_000; i++) {
      const perMs = i / 1_000;
      const steps = [{ atMs: 7 / perMs, factor: 0 }];
      const all = times({ kind: 'uniform', perMs, steps }, 1e9);
      expect(all.length).toBeGreaterThan(5);
      expect(all.length).toBeLessThan(8);
    }
  });

  it('are a trace, once or over and over', () => {
    const trace = Float64Array.of(1, 2, 4);
    expect(times({ kind: 'trace', times: trace, repeatMs: Number.POSITIVE_INFINITY }, 1_000)).toEqual([
      1, 2, 4,
    ]);
    expect(times({ kind: 'trace', times: trace, repeatMs: 5 }, 13)).toEqual([1, 2, 4, 6, 7, 9, 11, 12]);
  });
});

describe('keys', () => {
  it("are as frequent as Zipf's law has them", () => {
    const random = seededRandom(3);
    const keys = new Keys(100, 1);
    const counts = new Map<string, number>();
    for (let i = 0; i < 100_000; i++) {
      const key = keys.draw(random);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const harmonic = Array.from({ length: 100 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
    expect(counts.size).toBe(100);
    for (const n of [1, 2, 10]) {
      expect((counts.get(`key-${n}`)! / 100_000) * harmonic * n).toBeCloseTo(1, 0.9);
    }
  });

  it('are all as frequent without an exponent', () => {
    const random = seededRandom(4);
    const keys = new Keys(4, 0);
    const drawn = Array.from({ length: 40_000 }, () => keys.draw(random));
    for (const n of [1, 2, 3, 4]) {
      expect(drawn.filter((key) => key === `key-${n}`).length / 10_000).toBeCloseTo(1, 1);
    }
  });
});
