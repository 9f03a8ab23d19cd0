import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../src/balancer/core/latency.js';

/** A bucket's upper bound over its lower one. */
const STEP = 2 ** (1 / 8);

describe('LatencyHistogram', () => {
  it('knows nothing without latencies', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.count(0)).toBe(0);
    expect(histogram.quantile(0.5, 0)).toBeUndefined();
  });

  it('gives every quantile from above, within 9 %', () => {
    const latencies = fc.array(fc.double({ min: 0.01, max: 3_600_000, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    });
    const quantile = fc.oneof(
      fc.constantFrom(0, 0.5, 0.95, 0.99, 1),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(latencies, quantile, (latencies, q) => {
        const histogram = new LatencyHistogram();
        for (const latency of latencies) histogram.record(latency, 0);
        const rank = Math.max(1, Math.ceil(q * latencies.length));
        const exact = latencies.sort((a, b) => a - b)[rank - 1]!;
        const estimate = histogram.quantile(q, 0)!;
        expect(estimate).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(estimate).toBeLessThanOrEqual(exact * STEP * (1 + 1e-9));
      }),
    );
    expect(STEP - 1).toBeLessThan(0.091);
  });

  it('keeps what is too short or too long in its first and its last bucket', () => {
    const histogram = new LatencyHistogram();
    histogram.record(0, 0);
    expect(histogram.quantile(1, 0)).toBeCloseTo(0.01 * STEP, 12);
    histogram.record(1e12, 0);
    expect(histogram.quantile(1, 0)! / 3_600_000).toBeGreaterThan(18);
    expect(histogram.count(0)).toBe(2);
  });

  it('covers the last ten to twenty seconds, however often it is read', () => {
    const steps = fc.array(
      fc.tuple(
        fc.constantFrom(0, 1, 2_500, 5_000, 9_999, 10_000, 10_001, 20_000, 50_000),
        fc.boolean(),
        fc.boolean(),
      ),
    );
    fc.assert(
      fc.property(steps, (steps) => {
        const histogram = new LatencyHistogram();
        const unread = new LatencyHistogram();
        const recorded: number[] = [];
        let now = 0;
        for (const [ms, record, read] of steps) {
          now += ms;
          if (record) {
            histogram.record(1, now);
            unread.record(1, now);
            recorded.push(now);
          }
          if (!read) continue;
          const count = histogram.count(now);
          expect(count).toBeGreaterThanOrEqual(recorded.filter((at) => at > now - 10_000).length);
          expect(count).toBeLessThanOrEqual(recorded.filter((at) => at > now - 20_000).length);
        }
        // A reading changes nothing.
        expect(unread.count(now)).toBe(histogram.count(now));
        expect(unread.quantile(0.5, now)).toBe(histogram.quantile(0.5, now));
      }),
    );
  });

  it('forgets the past when a span turns', () => {
    const histogram = new LatencyHistogram();
    for (let i = 0; i < 99; i++) histogram.record(1_000, 9_000);
    histogram.record(1, 10_000);
    expect(histogram.quantile(0.5, 19_000)).toBeGreaterThan(999);
    expect(histogram.quantile(0.5, 20_000)).toBeLessThan(2);
    expect(histogram.count(30_000)).toBe(0);
  });
});
