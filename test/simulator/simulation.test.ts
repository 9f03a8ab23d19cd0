import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pickerNames } from '../../src/balancer/pickers/index.js';
import type { DistributionSpec } from '../../src/simulator/scenario/distribution.js';
import type { Scenario, TimelineSpec } from '../../src/simulator/scenario/scenario.js';
import { run, scenario, simulation } from './scenarios.js';

const SERVERS = ['server-1', 'server-2', 'server-3', 'server'];
const DURATION_MS = 2_000;

const service = fc.constantFrom<DistributionSpec>(
  0,
  5,
  { kind: 'exponential', meanMs: 20 },
  { kind: 'pareto', minMs: 3, shape: 1.5 },
);

const during = fc.record({
  atMs: fc.integer({ min: 0, max: DURATION_MS }),
  forMs: fc.integer({ min: 1, max: DURATION_MS }),
  servers: fc.constantFrom(...SERVERS),
});

/** One fault of each kind at most: two of a kind might overlap. */
const timeline = fc
  .tuple(
    fc.option(fc.record({ kind: fc.constant('slow' as const), by: fc.constantFrom(0.5, 10) })),
    fc.option(fc.record({ kind: fc.constant('latency' as const), ms: fc.constantFrom(0, 300) })),
    fc.option(fc.record({ kind: fc.constant('stop' as const) })),
    fc.option(fc.record({ kind: fc.constant('fail' as const), probability: fc.constantFrom(0.3, 1) })),
    fc.option(fc.record({ kind: fc.constant('down' as const) })),
    fc.tuple(during, during, during, during, during),
  )
  .map(([slow, latency, stop, fail, down, when]) =>
    [slow, latency, stop, fail, down].flatMap((entry, i) =>
      entry === null ? [] : [{ ...when[i]!, ...entry } as TimelineSpec],
    ),
  );

const random: fc.Arbitrary<Scenario> = fc.record({
  name: fc.constant('random'),
  durationMs: fc.constant(DURATION_MS),
  clients: fc.constantFrom(1, 3),
  arrivals: fc.constantFrom(
    { kind: 'poisson' as const, perSecond: 200 },
    { kind: 'uniform' as const, perSecond: 200 },
    { kind: 'bursts' as const, perSecond: 200, factor: 5, burstMs: 50, calmMs: 300 },
  ),
  servers: fc
    .record({
      concurrency: fc.constantFrom(1, 4, 100),
      queue: fc.constantFrom(0, 3, 1_000),
      service,
      stopsWhenCancelled: fc.boolean(),
    })
    .map((group) => [{ name: 'server', count: 3, ...group }]),
  calls: fc.constantFrom(
    {},
    { timeoutMs: 50 },
    { timeoutMs: 50, pendingUntilAnswered: true },
    { timeoutMs: 200, retry: { maxAttempts: 4, perAttemptTimeoutMs: 30 } },
    { timeoutMs: 200, hedge: { delayMs: 10 } },
    { hedge: {}, retry: { codes: ['UNAVAILABLE' as const, 'RESOURCE_EXHAUSTED' as const] } },
    {
      keys: { count: 10, zipf: 1 },
      timeoutMs: 100,
      hedge: { delayMs: 5 },
      retry: {},
      pendingUntilAnswered: true,
    },
  ),
  pool: fc.constantFrom(
    {},
    { maxPendingPerEndpoint: 2, queue: { max: 5 } },
    { outlierDetection: true, subset: { size: 2 } },
    {
      outlierDetection: { intervalMs: 200, baseEjectionMs: 300 },
      massRemovalGuard: true,
      maxPendingPerEndpoint: 4,
    },
  ),
  network: fc.constantFrom(
    {},
    { delayMs: 3, connectMs: 10 },
    { delayMs: { kind: 'exponential' as const, meanMs: 5 } },
  ),
  discovery: fc.constantFrom({}, { delayMs: 100, leaseMs: 300 }),
  timeline,
});

describe('a run', () => {
  it('ends every call once, and leaves nothing behind, whatever happens', () => {
    fc.assert(
      fc.property(random, fc.constantFrom(...pickerNames), (of, picker) => {
        const sim = simulation(of, picker);
        const { calls, succeeded, failed, unfinished, windows } = sim.run();
        const failures = Object.values(failed).reduce((sum, count) => sum + count, 0);
        expect(unfinished).toBe(0);
        expect(succeeded + failures).toBe(calls);
        const ended = windows.reduce((sum, window) => sum + window.calls, 0);
        expect(ended).toBeLessThanOrEqual(calls);
        for (const { balancer } of sim.clients) {
          const { table, queue } = balancer;
          expect(queue.size).toBe(0);
          // What servers still work on may be pending, where the scenario has it so.
          if (of.calls?.pendingUntilAnswered !== true) expect(table.pending).toBe(0);
        }
        for (const call of sim.caller.calls) expect(call.ended).toBe(true);
        const held = [...sim.caller.attempts].filter(
          ({ phase, abandoned }) => phase !== 'idle' && !abandoned,
        );
        expect(held).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('is the same for the same seed, and another for another', () => {
    fc.assert(
      fc.property(random, fc.constantFrom(...pickerNames), (of, picker) => {
        expect(run(of, picker, 7)).toEqual(run(of, picker, 7));
      }),
      { numRuns: 10 },
    );
    expect(run(scenario(), 'random', 1)).not.toEqual(run(scenario(), 'random', 2));
  });

  it('has the same calls for every picker', () => {
    const counts = pickerNames.map((picker) => run(scenario(), picker, 3).calls);
    expect(new Set(counts).size).toBe(1);
  });

  it('counts the calls that never end as failed', () => {
    const of = scenario({ timeline: [{ kind: 'stop', servers: 'server-1', atMs: 5_000 }] });
    const result = run(of);
    expect(result.unfinished).toBeGreaterThan(50);
    expect(result.calls).toBe(result.succeeded);
  });

  it('keeps the memory that it has, however many calls are made', () => {
    const sim = simulation(
      scenario({ durationMs: 300_000, calls: { timeoutMs: 100, hedge: { delayMs: 5 } } }),
    );
    const { calls } = sim.run();
    expect(calls).toBeGreaterThan(25_000);
    expect([...sim.caller.calls].length).toBeLessThan(50);
    expect([...sim.caller.attempts].length).toBeLessThan(50);
  });

  it('tells how far it is', () => {
    const parts: number[] = [];
    simulation(scenario({ durationMs: 4_000_000 })).run((part) => parts.push(part));
    expect(parts.length).toBeGreaterThan(2);
    expect(parts).toEqual(parts.toSorted((a, b) => a - b));
    expect(parts.at(-1)).toBeLessThanOrEqual(1);
  });
});
