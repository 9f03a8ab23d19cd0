import { describe, expect, it } from 'vitest';
import { pickerNames } from '../../src/balancer/pickers/index.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import { run, scenario, simulation, successRate } from './scenarios.js';

const perWindow = (of: Scenario, value: 'failed' | 'calls') => run(of).windows.map((window) => window[value]);

describe('a fleet', () => {
  it('loses nothing when servers join and leave, however late the news', () => {
    const of = scenario({
      clients: 3,
      arrivals: { kind: 'poisson', perSecond: 500 },
      discovery: { delayMs: { kind: 'uniform', minMs: 0, maxMs: 900 } },
      network: { delayMs: 1, connectMs: 10 },
      servers: [
        { name: 'old', count: 3, service: 10 },
        { name: 'new', count: 3, service: 10 },
      ],
      timeline: [
        { kind: 'join', servers: 'new', atMs: 2_000 },
        { kind: 'leave', servers: 'old', atMs: 5_000, lingerMs: 1_000 },
      ],
    });
    for (const picker of pickerNames) {
      const result = run(of, picker);
      expect(successRate(result)).toBe(1);
      expect(result.load.slice(0, 3).every((calls) => calls > 0)).toBe(true);
      expect(result.load.slice(3).every((calls) => calls > 0)).toBe(true);
      expect(result.connections).toEqual([3, 3, 3, 0, 0, 0]);
    }
  });

  it('loses calls to a server that ends before its clients have heard that it leaves', () => {
    const of = scenario({
      discovery: { delayMs: 3_000 },
      network: { delayMs: 5 },
      timeline: [{ kind: 'leave', servers: 'server-1', atMs: 5_000, lingerMs: 0 }],
    });
    // Those on their way to it, and those that it had.
    expect(run(of).failed.UNAVAILABLE).toBeGreaterThan(0);
    expect(run(of).failed.UNAVAILABLE).toBeLessThan(5);
  });

  it('finds a crashed server by its connection, and takes it back when it is there again', () => {
    const of = scenario({
      arrivals: { kind: 'uniform', perSecond: 400 },
      discovery: { leaseMs: 1_000 },
      network: { delayMs: 1 },
      timeline: [{ kind: 'down', servers: 'server-2', atMs: 3_000, forMs: 3_000 }],
    });
    const failed = perWindow(of, 'failed');
    const window = 10_000 / failed.length;
    expect(failed.filter((count) => count > 0).length).toBe(1);
    expect(failed.findIndex((count) => count > 0)).toBe(3_000 / window);
    const { load } = run(of);
    // It is away for three seconds of ten; the back-off to connect is short.
    expect(load[1]! / load[0]!).toBeGreaterThan(0.55);
    expect(load[1]! / load[0]!).toBeLessThan(0.75);
  });

  it('keeps a server in the registry that is back before its lease has run out, whatever comes after', () => {
    const of = scenario({
      durationMs: 4_000,
      discovery: { leaseMs: 1_000 },
      timeline: [
        { kind: 'down', servers: 'server-2', atMs: 1_000, forMs: 500 },
        { kind: 'down', servers: 'server-2', atMs: 1_900 },
      ],
    });
    const sim = simulation(of);
    const announced: [number, number][] = [];
    const table = sim.clients[0]!.balancer.table;
    const note = () => announced.push([sim.agenda.now(), [...table.announced()].length]);
    for (const at of [2_100, 2_850, 2_950]) sim.agenda.after(at, note);
    sim.run();
    expect(announced).toEqual([
      [2_100, 4],
      [2_850, 4],
      [2_950, 3],
    ]);
  });

  it('counts a load by the servers that are there from the start', () => {
    const servers = ['old', 'new'].map((name) => ({ name, count: 2, concurrency: 1, service: 10 }));
    const of = scenario({ arrivals: { kind: 'uniform', load: 0.5 }, servers });
    const joining: Scenario = { ...of, timeline: [{ kind: 'join', servers: 'new', atMs: 5_000 }] };
    expect(run(of).calls).toBeCloseTo(2_000, -1);
    expect(run(joining).calls).toBeCloseTo(1_000, -1);
  });

  it('waits for the first server', () => {
    const of = scenario({ timeline: [{ kind: 'join', servers: 'server', atMs: 1_000 }] });
    const { maxMs, calls, succeeded } = run(of);
    expect(succeeded).toBe(calls);
    expect(maxMs).toBeGreaterThan(900);
  });

  it('ejects a server that fails, and lets it back when a probe is well', () => {
    const of = scenario({
      durationMs: 20_000,
      arrivals: { kind: 'uniform', perSecond: 400 },
      pool: { outlierDetection: { baseEjectionMs: 2_000 } },
      timeline: [{ kind: 'fail', servers: 'server-1', probability: 1, atMs: 2_000, forMs: 3_000 }],
    });
    const { failed, load } = run(of);
    // Five in a row, and a probe when its time is over.
    expect(failed.UNAVAILABLE).toBeLessThanOrEqual(7);
    expect(load[0]).toBeGreaterThan(0.6 * load[1]!);
  });

  it('ejects a server that hangs', () => {
    const of = scenario({
      arrivals: { kind: 'uniform', perSecond: 400 },
      calls: { timeoutMs: 1_000 },
      timeline: [{ kind: 'stop', servers: 'server-1', atMs: 2_000, forMs: 5_000 }],
    });
    expect(run(of).failed.DEADLINE_EXCEEDED).toBeGreaterThan(300);
    expect(run({ ...of, pool: { outlierDetection: true } }).failed.DEADLINE_EXCEEDED).toBeLessThan(60);
  });

  it('is kept when the registry forgets most of it at once, where the guard is on', () => {
    const of = scenario({
      discovery: { delayMs: 10 },
      timeline: [
        { kind: 'leave', servers: ['server-1', 'server-2', 'server-3'], atMs: 5_000, lingerMs: 60_000 },
      ],
    });
    const share = (result: ReturnType<typeof run>) => result.load[3]! / result.load.reduce((a, b) => a + b);
    expect(share(run(of))).toBeCloseTo(0.25 * 0.5 + 0.5, 1);
    expect(share(run({ ...of, pool: { massRemovalGuard: true } }))).toBeCloseTo(0.25, 1);
  });

  it('is known in part by each client, in the same part whether the table or the simulator chooses it', () => {
    const of = scenario({
      clients: 20,
      durationMs: 1_000,
      pool: { subset: { size: 5 } },
      servers: [{ name: 'server', count: 30, service: 10 }],
    });
    const late: Scenario = { ...of, timeline: [{ kind: 'down', servers: 'server-1', atMs: 5_000 }] };
    expect(run(late).connections).toEqual(run(of).connections);
    const members = (sim: ReturnType<typeof simulation>) =>
      sim.clients.map(({ balancer }) => balancer.table.ready.map(({ endpoint }) => endpoint.id).sort());
    const [before, after] = [simulation(of), simulation(late)];
    before.run();
    after.run();
    expect(members(after)).toEqual(members(before));
    expect(members(before).every((each) => each.length === 5)).toBe(true);
  });

  it('slows down by antagonists for the part of the time that was given', () => {
    const of = scenario({
      durationMs: 200_000,
      servers: [
        { name: 'server', count: 4, service: 1, antagonist: { slowBy: 3, forMs: 200, everyMs: 1_000 } },
      ],
    });
    expect(run(of).meanMs).toBeCloseTo(0.8 * 1 + 0.2 * 3, 1);
  });
});
