import { expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { estimate, studentT } from '../../../src/simulator/results/estimate.js';
import { normal } from '../../../src/simulator/scenario/distribution.js';

it("knows Student's t", () => {
  // From any table of it.
  for (const [freedom, t] of [
    [1, 12.706],
    [4, 2.776],
    [10, 2.228],
    [11, 2.201],
    [15, 2.131],
    [30, 2.042],
    [120, 1.98],
    [10_000, 1.96],
  ] as const) {
    expect(studentT(freedom)).toBeCloseTo(t, 2);
  }
});

it('has the true mean in its interval 95 times in a hundred', () => {
  const random = seededRandom(1);
  let within = 0;
  for (let i = 0; i < 4_000; i++) {
    const { mean, margin } = estimate(Array.from({ length: 5 }, () => 3 + normal(random)));
    if (Math.abs(mean - 3) <= margin!) within++;
  }
  expect(within / 4_000).toBeGreaterThan(0.94);
  expect(within / 4_000).toBeLessThan(0.96);
});

it('says nothing of the spread with a single value', () => {
  expect(estimate([4])).toEqual({ mean: 4 });
  expect(estimate([4, 4])).toEqual({ mean: 4, margin: 0 });
});
