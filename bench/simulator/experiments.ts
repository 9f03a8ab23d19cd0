import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PickerName } from '../../src/balancer/pickers/index.js';
import { type Summary, summarize } from '../../src/simulator/results/summary.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import type { RunResult } from '../../src/simulator/simulation.js';
import type { Part, Run } from '../support/program.js';
import { type Job, runJobs } from './jobs.js';

/** A scenario of the gallery. This file is run from dist/bench/simulator/. */
export function fromGallery(name: string): Scenario {
  const path = fileURLToPath(new URL(`../../../bench/scenarios/${name}.json`, import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8')) as Scenario;
}

/** Every picker with every seed. */
async function summaries(
  run: Run,
  scenario: Scenario,
  pickers: readonly PickerName[],
  seeds: number,
): Promise<Summary[]> {
  const jobs = pickers.flatMap((picker) =>
    Array.from({ length: seeds }, (_, i): Job => ({ scenario, picker, seed: i + 1 })),
  );
  const runs = await runJobs(jobs, {
    signal: run.signal,
    done: (n) => run.progress(`${n} of ${jobs.length} runs`),
  });
  return pickers.map((picker, p) => {
    const results: RunResult[] = runs.slice(p * seeds, (p + 1) * seeds).map(({ result }) => result);
    return summarize(picker, results);
  });
}

const SLOW = ['round-robin', 'power-of-two', 'peak-ewma'] as const;

export const slowServer: Part = {
  name: 'slow-server',
  targets: [
    'slow-server/round-robin/off-by',
    'slow-server/power-of-two/success',
    'slow-server/peak-ewma/success',
    'slow-server/power-of-two/success-pending-until-answered',
  ],
  async run(run) {
    const scenario = fromGallery('one-slow-server');
    const pending: Scenario = { ...scenario, calls: { ...scenario.calls, pendingUntilAnswered: true } };
    const asPublished = await summaries(run, scenario, SLOW, 5);
    const untilAnswered = await summaries(run, pending, SLOW, 5);
    const success = (of: readonly Summary[], picker: string) =>
      100 * of.find((summary) => summary.picker === picker)!.metrics.successRate.mean;
    run.say('\nslow-server: success in %, after Linkerd (2016): 95, 99 and 99.9');
    run.table(
      ['picker', 'success', 'pending until answered'],
      SLOW.map((picker) => [
        picker,
        success(asPublished, picker).toFixed(3),
        success(untilAnswered, picker).toFixed(3),
      ]),
    );
    run.record('slow-server', { asPublished, untilAnswered });
    // One server of eleven for half of the time.
    const exact = 100 * (1 - 0.5 / 11);
    run.atMost(
      'slow-server/round-robin/off-by',
      Math.abs(success(asPublished, 'round-robin') - exact),
      0.1,
      'points',
    );
    run.atLeast('slow-server/power-of-two/success', success(asPublished, 'power-of-two'), 99, '%');
    run.atLeast('slow-server/peak-ewma/success', success(asPublished, 'peak-ewma'), 99.9, '%');
    run.atLeast(
      'slow-server/power-of-two/success-pending-until-answered',
      success(untilAnswered, 'power-of-two'),
      99.4,
      '%',
    );
  },
};

const UNEQUAL = [
  'round-robin',
  'weighted-round-robin',
  'least-pending',
  'power-of-two',
  'peak-ewma',
] as const;
/** Who must be better than whom, by the 99th percentile. */
const ORDER: readonly (readonly [PickerName, PickerName])[] = [
  ['weighted-round-robin', 'round-robin'],
  ['least-pending', 'weighted-round-robin'],
  ['power-of-two', 'weighted-round-robin'],
  ['peak-ewma', 'power-of-two'],
];

export const antagonists: Part = {
  name: 'antagonists',
  targets: [70, 90].flatMap((load) =>
    ORDER.map(([better, worse]) => `antagonists-${load}/${better}/over-${worse}`),
  ),
  async run(run) {
    for (const load of [70, 90]) {
      const of = await summaries(run, fromGallery(`antagonists-${load}`), UNEQUAL, 5);
      run.say(
        `\nantagonists: 100 clients of 100 unequal servers at ${load} % load, ms, after Prequal (2024)`,
      );
      run.table(
        ['picker', 'success %', 'mean', 'p50', 'p90', 'p99', 'p99.9'],
        of.map(({ picker, metrics }) => [
          picker,
          100 * metrics.successRate.mean,
          metrics.meanMs.mean,
          metrics.p50Ms.mean,
          metrics.p90Ms.mean,
          metrics.p99Ms.mean,
          metrics.p999Ms.mean,
        ]),
      );
      run.record(`antagonists-${load}`, of);
      const p99 = (picker: PickerName) => of.find((summary) => summary.picker === picker)!.metrics.p99Ms.mean;
      for (const [better, worse] of ORDER) {
        run.atMost(`antagonists-${load}/${better}/over-${worse}`, p99(better) / p99(worse), 1, 'x of p99');
      }
    }
  },
};

/** gRFC A68: 100 clients of 100 servers with subsets of 25 are Binomial(100, 0.25) to a server. */
const SUBSET_SD = Math.sqrt(100 * 0.25 * 0.75);
const SUBSET_SEEDS = 20;

export const subset: Part = {
  name: 'subset',
  targets: ['subset/mean/off-by', 'subset/sd/off-by'],
  async run(run) {
    const scenario: Scenario = {
      name: 'subset',
      durationMs: 1,
      clients: 100,
      pool: { subset: { size: 25 } },
      arrivals: { kind: 'poisson', perSecond: 1 },
      servers: [{ name: 'server', count: 100, service: 1 }],
    };
    const jobs = Array.from(
      { length: SUBSET_SEEDS },
      (_, i): Job => ({ scenario, picker: 'random', seed: i + 1 }),
    );
    const runs = await runJobs(jobs, { signal: run.signal });
    const of = runs.map(({ result }) => {
      const mean = result.connections.reduce((sum, n) => sum + n, 0) / 100;
      return { mean, sd: Math.sqrt(result.connections.reduce((sum, n) => sum + (n - mean) ** 2, 0) / 100) };
    });
    const average = (value: (each: (typeof of)[number]) => number) =>
      of.reduce((sum, each) => sum + value(each), 0) / of.length;
    const mean = average((each) => each.mean);
    const sd = average((each) => each.sd);
    run.say(
      `\nsubset: connections to a server: mean ${mean}, sd ${sd.toFixed(3)}; gRFC A68 says 25 and ${SUBSET_SD.toFixed(2)}`,
    );
    run.record('subset', { mean, sd });
    run.atMost('subset/mean/off-by', Math.abs(mean - 25), 0, '');
    run.atMost('subset/sd/off-by', 100 * Math.abs(sd / SUBSET_SD - 1), 10, '%');
  },
};
