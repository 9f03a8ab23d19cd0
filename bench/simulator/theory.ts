import type { PickerName } from '../../src/balancer/pickers/index.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import type { Part } from '../support/program.js';
import { type Job, runJobs } from './jobs.js';

/** Servers of the supermarket: mathematics has infinitely many, and Mitzenmacher's own experiments 100 and 500. */
const SERVERS = 500;

/** How far the mean time in the system may be from theory's, in per cent, and how long that takes to see. */
interface Check {
  readonly load: number;
  readonly choices: 1 | 2 | 3;
  readonly limit: number;
  readonly warmUpMs: number;
  readonly countedMs: number;
}

/**
 * From empty queues it takes a while until they are as long as they will be: the relaxation time of M/M/1 is
 * 1 / (1 - sqrt(load))^2 service times, 40,000 at a load of 0.99. Two choices relax far sooner.
 */
const CHECKS: readonly Check[] = [
  { load: 0.5, choices: 1, limit: 3, warmUpMs: 100, countedMs: 2_000 },
  { load: 0.9, choices: 1, limit: 3, warmUpMs: 2_000, countedMs: 10_000 },
  { load: 0.95, choices: 1, limit: 3, warmUpMs: 7_000, countedMs: 30_000 },
  { load: 0.99, choices: 1, limit: 10, warmUpMs: 80_000, countedMs: 80_000 },
  { load: 0.5, choices: 2, limit: 2, warmUpMs: 100, countedMs: 2_000 },
  { load: 0.9, choices: 2, limit: 2, warmUpMs: 500, countedMs: 5_000 },
  { load: 0.95, choices: 2, limit: 2, warmUpMs: 2_000, countedMs: 10_000 },
  { load: 0.99, choices: 2, limit: 10, warmUpMs: 8_000, countedMs: 20_000 },
  { load: 0.5, choices: 3, limit: 3, warmUpMs: 100, countedMs: 2_000 },
  { load: 0.9, choices: 3, limit: 3, warmUpMs: 500, countedMs: 5_000 },
  { load: 0.95, choices: 3, limit: 3, warmUpMs: 2_000, countedMs: 10_000 },
  { load: 0.99, choices: 3, limit: 10, warmUpMs: 8_000, countedMs: 20_000 },
];

/** The loads at which the least pending of all is held against that of two, and the seeds. */
const LOADS = [0.3, 0.5, 0.7, 0.9, 0.95, 0.99];
const SEEDS = 10;

export const supermarket: Part = {
  name: 'supermarket',
  targets: CHECKS.map(nameOf),
  async run(run) {
    const jobs = CHECKS.map(jobOf);
    const runs = await runJobs(jobs, {
      signal: run.signal,
      done: (n) => run.progress(`${n} of ${jobs.length} runs`),
    });
    const rows = CHECKS.map(({ load, choices }, i) => {
      const measured = runs[i]!.result.meanMs;
      const expected = meanTime(load, choices);
      return { load, choices, expected, measured, offBy: 100 * (measured / expected - 1) };
    });
    run.say(`\nsupermarket: the mean time in the system of ${SERVERS} servers, in service times`);
    run.table(
      ['load', 'choices', 'theory', 'simulated', 'off by %', 'million calls'],
      rows.map(({ load, choices, expected, measured, offBy }, i) => [
        load,
        choices,
        expected.toFixed(4),
        measured.toFixed(4),
        offBy.toFixed(2),
        runs[i]!.result.calls / 1e6,
      ]),
    );
    run.record('supermarket', rows);
    for (const [i, check] of CHECKS.entries())
      run.atMost(nameOf(check), Math.abs(rows[i]!.offBy), check.limit, '%');
  },
};

export const leastPending: Part = {
  name: 'least-pending',
  targets: LOADS.map((load) => `least-pending/${load}/over-power-of-two`),
  async run(run) {
    const jobs = LOADS.flatMap((load) =>
      Array.from({ length: SEEDS }, (_, i) => i + 1).flatMap((seed): Job[] => [
        { scenario: scenario(load, 200, 600), picker: 'power-of-two', seed },
        { scenario: scenario(load, 200, 600), picker: 'least-pending', seed },
      ]),
    );
    const runs = await runJobs(jobs, {
      signal: run.signal,
      done: (n) => run.progress(`${n} of ${jobs.length} runs`),
    });
    const rows = LOADS.map((load, l) => {
      const of = runs.slice(2 * SEEDS * l, 2 * SEEDS * (l + 1)).map(({ result }) => result.meanMs);
      const ratios = Array.from({ length: SEEDS }, (_, i) => of[2 * i + 1]! / of[2 * i]!);
      return { load, worst: Math.max(...ratios), best: Math.min(...ratios) };
    });
    run.say(`\nleast-pending: its mean time over power-of-two's, ${SEEDS} seeds`);
    run.table(
      ['load', 'best', 'worst'],
      rows.map(({ load, best, worst }) => [load, best, worst]),
    );
    run.record('least-pending', rows);
    for (const { load, worst } of rows) run.atMost(`least-pending/${load}/over-power-of-two`, worst, 1, 'x');
  },
};

function nameOf({ load, choices }: Check): string {
  return `supermarket/${load}/choices-${choices}/off-by`;
}

function jobOf({ load, choices, warmUpMs, countedMs }: Check): Job {
  const of = scenario(load, warmUpMs, countedMs);
  const picker: PickerName = choices === 1 ? 'random' : 'power-of-two';
  return { scenario: of, picker, seed: 1, ...(choices > 2 && { choices }) };
}

/** Exponential service of mean 1 ms, so that milliseconds are service times. */
function scenario(load: number, warmUpMs: number, countedMs: number): Scenario {
  return {
    name: `supermarket at load ${load}`,
    warmUpMs,
    durationMs: warmUpMs + countedMs,
    arrivals: { kind: 'poisson', load },
    servers: [
      { name: 'server', count: SERVERS, concurrency: 1, service: { kind: 'exponential', meanMs: 1 } },
    ],
  };
}

/** Mitzenmacher (2001): the sum over i >= 1 of load^((d^i - d) / (d - 1)); of M/M/1 with one choice. */
function meanTime(load: number, d: number): number {
  if (d === 1) return 1 / (1 - load);
  let sum = 0;
  for (let i = 1; i <= 60; i++) sum += load ** ((d ** i - d) / (d - 1));
  return sum;
}
