import { describe, expect, it } from 'vitest';
import { run, scenario, simulation, successRate } from '../scenarios.js';

describe('a call', () => {
  it('runs out of time wherever it is: waiting, on its way, queued or served', () => {
    for (const over of [
      { pool: { maxPendingPerEndpoint: 1 } },
      { network: { delayMs: 40 } },
      { servers: [{ name: 'server', count: 1, concurrency: 1, service: 60 }] },
      { servers: [{ name: 'server', count: 1, service: 60 }] },
    ]) {
      const of = scenario({
        servers: [{ name: 'server', count: 1, service: 60 }],
        calls: { timeoutMs: 50 },
        ...over,
      });
      const { failed, succeeded, maxMs, meanMs } = run(of);
      expect(succeeded).toBe(0);
      expect(Object.keys(failed)).toEqual(['DEADLINE_EXCEEDED']);
      expect([maxMs, meanMs]).toEqual([expect.closeTo(50, 6), expect.closeTo(50, 6)]);
    }
  });

  it('takes the network both ways', () => {
    const of = scenario({ network: { delayMs: 3 } });
    expect(run(of).meanMs).toBeCloseTo(16, 6);
  });

  it('is tried again on another server, within the budget', () => {
    const broken = scenario({
      timeline: [{ kind: 'fail', servers: 'server-1', probability: 1, atMs: 0 }],
      arrivals: { kind: 'uniform', perSecond: 1_000 },
    });
    expect(successRate(run(broken))).toBeCloseTo(0.75, 2);
    const ample = { ...broken, calls: { retry: {} }, pool: { retryBudget: { ratio: 1 } } };
    expect(successRate(run(ample))).toBe(1);
    // A quarter of the calls needs a retry, and a tenth may have one.
    const scarce = {
      ...broken,
      calls: { retry: {} },
      pool: { retryBudget: { ratio: 0.1, minPerSecond: 0 } },
    };
    expect(successRate(run(scarce))).toBeCloseTo(0.75 + 0.1, 1);
  });

  it('is not tried again after other codes than those named, nor oftener than allowed', () => {
    const broken = scenario({
      timeline: [{ kind: 'fail', servers: 'server', probability: 1, code: 'INTERNAL', atMs: 0, ms: 1 }],
      pool: { retryBudget: { ratio: 10 } },
    });
    const attempts = (of: typeof broken) => {
      const { load, calls } = run(of);
      return load.reduce((sum, each) => sum + each) / calls;
    };
    expect(attempts({ ...broken, calls: { retry: { maxAttempts: 4 } } })).toBe(1);
    expect(attempts({ ...broken, calls: { retry: { maxAttempts: 4, codes: ['INTERNAL'] } } })).toBe(4);
  });

  it('is tried again when one attempt takes too long', () => {
    const of = scenario({
      timeline: [{ kind: 'stop', servers: 'server-1', atMs: 0 }],
      calls: { retry: { perAttemptTimeoutMs: 100, backoff: { baseMs: 0 } } },
      pool: { retryBudget: { ratio: 1 } },
    });
    const { maxMs, succeeded, calls } = run(of);
    expect(succeeded).toBe(calls);
    expect(maxMs).toBeCloseTo(110, 0);
  });

  it('is hedged when it is late: the first good answer counts, and the other attempt is given up', () => {
    const of = scenario({
      servers: [{ name: 'server', count: 4, service: 10, stopsWhenCancelled: true }],
      timeline: [{ kind: 'latency', servers: 'server-1', ms: 500, atMs: 0 }],
      calls: { hedge: { delayMs: 20 } },
      pool: { retryBudget: { ratio: 1 } },
    });
    const hedged = simulation(of);
    const { maxMs, load, calls } = hedged.run();
    expect(maxMs).toBeCloseTo(30, 6);
    // A hedge takes a turn of the other servers', so the slow one has a quarter to a third of the first attempts.
    const hedges = load.reduce((sum, each) => sum + each) / calls - 1;
    expect(hedges).toBeGreaterThan(0.24);
    expect(hedges).toBeLessThan(0.34);
    expect(hedged.clients[0]!.balancer.table.pending).toBe(0);
  });

  it('hedges by the percentile that its client has measured', () => {
    const service = { kind: 'lognormal', medianMs: 10, sdMs: 2 } as const;
    const of = scenario({
      servers: [{ name: 'server', count: 10, service }],
      arrivals: { kind: 'poisson', perSecond: 1_000 },
      pool: { retryBudget: { ratio: 1 } },
      calls: { hedge: {} },
    });
    const { load, calls } = run(of);
    const hedges = load.reduce((sum, each) => sum + each) / calls - 1;
    // The histogram's buckets are 9 % wide, so that the delay is a bit more than the percentile.
    expect(hedges).toBeGreaterThan(0.01);
    expect(hedges).toBeLessThan(0.055);
  });

  it('waits at the client for a server with room, and is refused when too many do', () => {
    const of = scenario({
      servers: [{ name: 'server', count: 1, service: 20 }],
      pool: { maxPendingPerEndpoint: 1, queue: { max: 3 } },
    });
    const { failed, load } = run(of);
    expect(load[0]).toBeCloseTo(500, -1);
    expect(failed.RESOURCE_EXHAUSTED).toBeGreaterThan(400);
  });
});
