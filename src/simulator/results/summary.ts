import type { Metric, TargetSpec } from '../scenario/scenario.js';
import type { RunResult } from '../simulation.js';
import { type Estimate, estimate } from './estimate.js';
import { QUANTILES, type Window } from './recorder.js';

/** What came of a picker, over its seeds. Plain data: the `results` of `evenkeel simulate --json`. */
export interface Summary {
  readonly picker: string;
  readonly seeds: readonly number[];
  /** Latencies in milliseconds, `successRate` from 0 to 1, `maxOverMeanLoad` as a factor. */
  readonly metrics: Readonly<Record<Metric, Estimate>>;
  /** Over all seeds. */
  readonly calls: number;
  /** Over all seeds, by status; `UNFINISHED`: not over when the run was given up. */
  readonly failed: Readonly<Record<string, number>>;
  /** At which quantiles, and the latency there in the mean over the seeds. */
  readonly quantiles: readonly { readonly q: number; readonly ms: number }[];
  /** By server, in the order of the scenario: its attempts as a share of all. */
  readonly shares: readonly number[];
  /** What changed over time, in the mean over the seeds. */
  readonly windows: readonly Window[];
}

/**
 * @param picker - what it is to be called.
 * @param runs - one or more, of one picker, with different seeds.
 */
export function summarize(picker: string, runs: readonly RunResult[]): Summary {
  const over = (value: (run: RunResult) => number) => estimate(runs.map(value));
  const at = (q: number) => over(({ quantilesMs }) => quantilesMs[nearest(q)]!);
  const failed: Record<string, number> = {};
  for (const run of runs) {
    for (const [code, count] of Object.entries(run.failed)) failed[code] = (failed[code] ?? 0) + count;
    if (run.unfinished > 0) failed.UNFINISHED = (failed.UNFINISHED ?? 0) + run.unfinished;
  }
  return {
    picker,
    seeds: runs.map(({ seed }) => seed),
    metrics: {
      successRate: over(({ succeeded, calls, unfinished }) => ratio(succeeded, calls + unfinished)),
      meanMs: over(({ meanMs }) => meanMs),
      p50Ms: at(0.5),
      p90Ms: at(0.9),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
      maxMs: over(({ maxMs }) => maxMs),
      maxOverMeanLoad: over(({ load }) => ratio(Math.max(...load) * load.length, total(load))),
    },
    calls: total(runs.map(({ calls, unfinished }) => calls + unfinished)),
    failed,
    quantiles: QUANTILES.map((q, i) => ({ q, ms: mean(runs.map(({ quantilesMs }) => quantilesMs[i]!)) })),
    shares: runs[0]!.load.map((_, server) => mean(runs.map(({ load }) => ratio(load[server]!, total(load))))),
    windows: runs[0]!.windows.map((_, i) => averaged(runs.map(({ windows }) => windows[i]!))),
  };
}

/** A target, and whether it is met. As every program of evenkeel's reports them. */
export interface HeldTarget {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  readonly bound: 'at most' | 'at least';
  readonly held: boolean;
}

/** The scenario's targets against what was measured, and the names of those whose picker was not run. */
export function holdTargets(
  targets: readonly TargetSpec[],
  summaries: readonly Summary[],
): { targets: HeldTarget[]; missing: string[] } {
  const held: HeldTarget[] = [];
  const missing: string[] = [];
  for (const { picker, metric, atMost, atLeast } of targets) {
    const name = `${picker}/${metric}`;
    const value = summaries.find((summary) => summary.picker === picker)?.metrics[metric].mean;
    if (value === undefined) {
      missing.push(name);
      continue;
    }
    const unit = metric.endsWith('Ms') ? 'ms' : '';
    if (atMost !== undefined) {
      held.push({ name, value, unit, limit: atMost, bound: 'at most', held: value <= atMost });
    }
    if (atLeast !== undefined) {
      held.push({ name, value, unit, limit: atLeast, bound: 'at least', held: value >= atLeast });
    }
  }
  return { targets: held, missing };
}

function averaged(windows: readonly Window[]): Window {
  const p50s = windows.flatMap(({ p50Ms }) => p50Ms ?? []);
  const p99s = windows.flatMap(({ p99Ms }) => p99Ms ?? []);
  return {
    atMs: windows[0]!.atMs,
    calls: mean(windows.map(({ calls }) => calls)),
    failed: mean(windows.map(({ failed }) => failed)),
    ...(p50s.length > 0 && { p50Ms: mean(p50s), p99Ms: mean(p99s) }),
    queuedAtServers: mean(windows.map(({ queuedAtServers }) => queuedAtServers)),
    queuedAtClients: mean(windows.map(({ queuedAtClients }) => queuedAtClients)),
  };
}

/** The index in {@link QUANTILES}, which has every quantile that is a metric. */
function nearest(q: number): number {
  let best = 0;
  for (const [i, each] of QUANTILES.entries())
    if (Math.abs(each - q) < Math.abs(QUANTILES[best]! - q)) best = i;
  return best;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function mean(values: readonly number[]): number {
  return total(values) / values.length;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
