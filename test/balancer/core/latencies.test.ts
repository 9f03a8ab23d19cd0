import { expect, it } from 'vitest';
import { Latencies } from '../../../src/balancer/core/latencies.js';

function recorded(...groups: [method: string | undefined, ms: number, times: number][]): Latencies {
  const latencies = new Latencies();
  for (const [method, ms, times] of groups) {
    for (let i = 0; i < times; i++) latencies.record(method, ms, 1_000);
  }
  return latencies;
}

/** Within the width of a bucket. */
function about(ms: number, wanted: number): void {
  expect(ms).toBeGreaterThanOrEqual(wanted);
  expect(ms).toBeLessThan(wanted * 1.1);
}

it('knows a quantile of all from 50 on', () => {
  expect(recorded(['/a', 10, 49]).quantile(0.5, 1_000)).toBeUndefined();
  about(recorded(['/a', 10, 25], [undefined, 10, 25]).quantile(0.5, 1_000)!, 10);
});

it('knows methods apart, each from 20 on', () => {
  const latencies = recorded(['/fast', 10, 20], ['/slow', 3_000, 20], ['/seldom', 5, 19]);
  about(latencies.ofMethod('/fast', 0.99, 1_000)!, 10);
  about(latencies.ofMethod('/slow', 0.99, 1_000)!, 3_000);
  expect(latencies.ofMethod('/seldom', 0.99, 1_000)).toBeUndefined();
  expect(latencies.ofMethod('/never', 0.99, 1_000)).toBeUndefined();
});

it('takes a call without a name for any', () => {
  about(recorded(['/a', 10, 50]).ofMethod(undefined, 0.99, 1_000)!, 10);
});

it('knows the first 100 methods apart, and counts the others among all', () => {
  const latencies = recorded(
    ...Array.from({ length: 150 }, (_, i): [string, number, number] => [`/${i}`, 10, 20]),
  );
  about(latencies.ofMethod('/99', 0.5, 1_000)!, 10);
  expect(latencies.ofMethod('/100', 0.5, 1_000)).toBeUndefined();
  about(latencies.quantile(0.5, 1_000)!, 10);
});

it('forgets', () => {
  const latencies = recorded(['/a', 10, 50]);
  expect(latencies.quantile(0.5, 40_000)).toBeUndefined();
  expect(latencies.ofMethod('/a', 0.5, 40_000)).toBeUndefined();
});
