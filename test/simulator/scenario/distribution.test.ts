import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { type DistributionSpec, distribution, normal } from '../../../src/simulator/scenario/distribution.js';

const DRAWS = 200_000;

function draws(spec: DistributionSpec, samples: readonly number[] = []): Float64Array {
  const random = seededRandom(1);
  const from = distribution(spec, () => Float64Array.from(samples));
  return Float64Array.from({ length: DRAWS }, () => from.draw(random)).sort();
}

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
function sd(values: Float64Array): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}
const quantile = (values: Float64Array, q: number) => values[Math.floor(q * values.length)]!;

describe('a distribution', () => {
  it.each<[string, DistributionSpec, number]>([
    ['a number', 7, 7],
    ['constant', { kind: 'constant', ms: 7 }, 7],
    ['uniform', { kind: 'uniform', minMs: 2, maxMs: 6 }, 4],
    ['exponential', { kind: 'exponential', meanMs: 7 }, 7],
    ['lognormal', { kind: 'lognormal', medianMs: 167, sdMs: 50 }, 173.775],
    ['pareto', { kind: 'pareto', minMs: 3, shape: 4 }, 4],
    ['empirical', { kind: 'empirical', file: '', msPerUnit: 0.5 }, 3],
  ])('%s has the mean that it says', (_, spec, expected) => {
    const values = draws(spec, [2, 4, 12]);
    expect(distribution(spec, () => Float64Array.of(2, 4, 12)).meanMs).toBeCloseTo(expected, 1);
    expect(mean(values) / expected).toBeCloseTo(1, 2);
  });

  it('is lognormal by its median and its standard deviation', () => {
    const values = draws({ kind: 'lognormal', medianMs: 167, sdMs: 50 });
    expect(quantile(values, 0.5) / 167).toBeCloseTo(1, 2);
    expect(sd(values) / 50).toBeCloseTo(1, 1);
    expect(new Set(draws({ kind: 'lognormal', medianMs: 5, sdMs: 0 }))).toEqual(new Set([5]));
  });

  it('has the tail that it should', () => {
    expect(quantile(draws({ kind: 'exponential', meanMs: 1 }), 0.999)).toBeCloseTo(Math.log(1_000), 0);
    expect(quantile(draws({ kind: 'pareto', minMs: 1, shape: 2 }), 0.99)).toBeCloseTo(10, 0);
    const heavy = distribution({ kind: 'pareto', minMs: 1, shape: 1 }, () => new Float64Array());
    expect(heavy.meanMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('draws what was measured as often as it was', () => {
    const values = draws({ kind: 'empirical', file: '' }, [1, 1, 1, 9]);
    expect(new Set(values)).toEqual(new Set([1, 9]));
    expect(values.filter((value) => value === 9).length / DRAWS).toBeCloseTo(0.25, 2);
  });

  it('is normal where it says so', () => {
    const random = seededRandom(2);
    const values = Float64Array.from({ length: DRAWS }, () => normal(random)).sort();
    expect(mean(values)).toBeCloseTo(0, 1);
    expect(sd(values)).toBeCloseTo(1, 2);
    expect(quantile(values, 0.975)).toBeCloseTo(1.96, 1);
  });
});
