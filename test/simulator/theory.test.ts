import { describe, expect, it } from 'vitest';
import type { PickerName } from '../../src/balancer/pickers/index.js';
import { summarize } from '../../src/simulator/results/summary.js';
import type { DistributionSpec } from '../../src/simulator/scenario/distribution.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import { run, scenario, successRate } from './scenarios.js';

// What mathematics says of queues, and what was published of experiments. `npm run bench:simulator` goes on to greater
// loads, and is exacter.

/** The mean time in the system, over a few seeds. */
function meanMs(of: Scenario, picker: PickerName): number {
  const seeds = [1, 2, 3];
  return summarize(
    picker,
    seeds.map((seed) => run(of, picker, seed)),
  ).metrics.meanMs.mean;
}

/** Service takes 1 ms in the mean, and about 200,000 calls come. */
function queue(servers: number, concurrency: number, load: number, service: DistributionSpec): Scenario {
  const durationMs = 200_000 / (servers * concurrency * load);
  return scenario({
    durationMs,
    warmUpMs: durationMs / 20,
    arrivals: { kind: 'poisson', load },
    servers: [{ name: 'server', count: servers, concurrency, service }],
  });
}

describe('a simulated queue', () => {
  it('of one server takes the time of M/M/1', () => {
    const mean = meanMs(queue(1, 1, 0.7, { kind: 'exponential', meanMs: 1 }), 'round-robin');
    expect(Math.abs(mean * (1 - 0.7) - 1)).toBeLessThan(0.04);
  });

  it('of constant service takes the time of M/D/1 (Pollaczek and Khinchine)', () => {
    const mean = meanMs(queue(1, 1, 0.7, 1), 'round-robin');
    expect(Math.abs(mean / (1 + 0.7 / (2 * (1 - 0.7))) - 1)).toBeLessThan(0.04);
  });

  it('of lognormal service takes the time of M/G/1, by its first two moments', () => {
    const mean = meanMs(queue(1, 1, 0.5, { kind: 'lognormal', medianMs: 1, sdMs: 1 }), 'round-robin');
    const x = (1 + Math.sqrt(5)) / 2;
    const first = Math.sqrt(x);
    // The load is of the mean: arrivals at 0.5 / first; the second moment is median^2 e^(2 sigma^2).
    const wait = ((0.5 / first) * x ** 2) / (2 * (1 - 0.5));
    expect(Math.abs(mean / (first + wait) - 1)).toBeLessThan(0.04);
  });

  it('of eight places takes the time of M/M/8 (Erlang C)', () => {
    const c = 8;
    const load = 0.8;
    const offered = c * load;
    let sum = 0;
    let term = 1;
    for (let k = 0; k < c; k++) {
      sum += term;
      term *= offered / (k + 1);
    }
    const waits = term / (1 - load) / (sum + term / (1 - load));
    const mean = meanMs(queue(1, c, load, { kind: 'exponential', meanMs: 1 }), 'round-robin');
    expect(Math.abs(mean / (1 + waits / (c * (1 - load))) - 1)).toBeLessThan(0.04);
  });

  it('is at the client, when servers take no more than they serve, and then M/M/n whatever the picker', () => {
    const service: DistributionSpec = { kind: 'exponential', meanMs: 1 };
    const of: Scenario = { ...queue(8, 1, 0.8, service), pool: { maxPendingPerEndpoint: 1 } };
    const shared = queue(1, 8, 0.8, service);
    expect(Math.abs(meanMs(of, 'random') / meanMs(shared, 'random') - 1)).toBeLessThan(0.04);
    const { windows } = run(of);
    expect(windows.every(({ queuedAtServers }) => queuedAtServers === 0)).toBe(true);
    expect(windows.some(({ queuedAtClients }) => queuedAtClients > 0)).toBe(true);
  });
});

describe('the supermarket model', () => {
  const of = (load: number): Scenario =>
    scenario({
      durationMs: 600,
      warmUpMs: 100,
      arrivals: { kind: 'poisson', load },
      servers: [{ name: 'server', count: 500, concurrency: 1, service: { kind: 'exponential', meanMs: 1 } }],
    });

  it.each([
    [0.5, 1.2657],
    [0.9, 2.6141],
  ])('takes what Mitzenmacher says at load %d with two choices: %d', (load, expected) => {
    expect(Math.abs(meanMs(of(load), 'power-of-two') / expected - 1)).toBeLessThan(0.02);
  });

  it('takes 1 / (1 - load) at random', () => {
    expect(Math.abs(meanMs(of(0.5), 'random') / 2 - 1)).toBeLessThan(0.02);
  });

  it('is never worse with the least pending of all than with that of two', () => {
    for (const load of [0.3, 0.9]) {
      expect(meanMs(of(load), 'least-pending')).toBeLessThanOrEqual(meanMs(of(load), 'power-of-two'));
    }
  });
});

describe("Linkerd's experiment", () => {
  const of = scenario({
    durationMs: 60_000,
    arrivals: { kind: 'poisson', perSecond: 1_000 },
    calls: { timeoutMs: 1_000 },
    servers: [{ name: 'server', count: 11, service: { kind: 'lognormal', medianMs: 167, sdMs: 5 } }],
    timeline: [{ kind: 'latency', servers: 'server-11', ms: 2_000, atMs: 15_000, forMs: 30_000 }],
  });

  it('gives the success rates that were published', () => {
    expect(Math.abs(successRate(run(of, 'round-robin')) - 0.95455)).toBeLessThan(0.001);
    expect(successRate(run(of, 'power-of-two'))).toBeGreaterThan(0.99);
    expect(successRate(run(of, 'peak-ewma'))).toBeGreaterThan(0.999);
  });

  it('gives better ones when a call stays pending until its server answers', () => {
    const pending = { ...of, calls: { timeoutMs: 1_000, pendingUntilAnswered: true } };
    expect(successRate(run(pending, 'power-of-two'))).toBeGreaterThan(0.994);
  });
});

it('subsets are as even as gRFC A68 says: binomial', () => {
  const of = scenario({
    durationMs: 1,
    clients: 100,
    pool: { subset: { size: 25 } },
    servers: [{ name: 'server', count: 100, service: 1 }],
  });
  const sds: number[] = [];
  for (let seed = 1; seed <= 20; seed++) {
    const { connections } = run(of, 'round-robin', seed);
    expect(connections.reduce((sum, count) => sum + count)).toBe(2_500);
    sds.push(Math.sqrt(connections.reduce((sum, count) => sum + (count - 25) ** 2, 0) / 100));
  }
  const mean = sds.reduce((sum, sd) => sum + sd) / sds.length;
  expect(Math.abs(mean / 4.33 - 1)).toBeLessThan(0.1);
});
