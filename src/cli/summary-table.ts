import { printable } from '../base/printable.js';
import type { Estimate, Summary } from '../simulator/index.js';
import { formatTable } from './table.js';

/** What came of each picker, of how many runs that is, and how its calls failed. */
export function summaryTable(summaries: readonly Summary[]): string {
  const seeds = summaries[0]!.seeds.length;
  const calls = Math.round(summaries[0]!.calls / seeds).toLocaleString('en');
  const lines = [
    formatTable(
      ['picker', 'success %', 'mean ms', 'p50', 'p90', 'p99', 'p99.9', 'max', 'busiest/mean'],
      summaries.map(({ picker, metrics }) => [
        picker,
        spread(metrics.successRate, 100, 3),
        ...(
          [
            metrics.meanMs,
            metrics.p50Ms,
            metrics.p90Ms,
            metrics.p99Ms,
            metrics.p999Ms,
            metrics.maxMs,
          ] as const
        ).map((metric) => spread(metric)),
        spread(metrics.maxOverMeanLoad),
      ]),
    ),
    '',
    seeds === 1
      ? `One run each, of ${calls} calls.`
      : `Means of ${seeds} runs each, of ${calls} calls; ± is their 95 % confidence interval.`,
  ];
  for (const { picker, failed } of summaries) {
    const failures = Object.entries(failed);
    if (failures.length === 0) continue;
    lines.push(
      `${printable(picker)}: ${failures.map(([code, count]) => `${count.toLocaleString('en')} x ${code}`).join(', ')}`,
    );
  }
  return lines.join('\n');
}

/** The mean, and how far the true one may be from it, with as many decimals. */
function spread({ mean, margin }: Estimate, scale = 1, decimals = decimalsFor(mean)): string {
  const shown = (mean * scale).toFixed(decimals);
  return margin === undefined ? shown : `${shown} ±${(margin * scale).toFixed(decimals)}`;
}

/** For three digits that matter. */
function decimalsFor(value: number): number {
  return Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.max(value, 1e-3)))));
}
