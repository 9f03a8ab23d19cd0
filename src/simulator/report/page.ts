import type { Estimate } from '../results/estimate.js';
import type { Summary } from '../results/summary.js';
import type { Plan } from '../scenario/plan.js';
import type { Metric } from '../scenario/scenario.js';
import { charts } from './charts.js';
import { colour, THEME } from './theme.js';

interface Column {
  readonly metric: Metric;
  readonly heading: string;
  readonly best: 'least' | 'most';
  /** The decimals of a mean, which its margin has, too. */
  readonly decimals: (mean: number) => number;
  readonly scale?: number;
}

const threeDigits = (mean: number) =>
  Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.max(mean, 1e-3)))));
const always = (decimals: number) => () => decimals;
const COLUMNS: readonly Column[] = [
  { metric: 'successRate', heading: 'success, %', best: 'most', decimals: always(3), scale: 100 },
  { metric: 'meanMs', heading: 'mean, ms', best: 'least', decimals: threeDigits },
  { metric: 'p50Ms', heading: 'p50', best: 'least', decimals: threeDigits },
  { metric: 'p90Ms', heading: 'p90', best: 'least', decimals: threeDigits },
  { metric: 'p99Ms', heading: 'p99', best: 'least', decimals: threeDigits },
  { metric: 'p999Ms', heading: 'p99.9', best: 'least', decimals: threeDigits },
  { metric: 'maxMs', heading: 'max', best: 'least', decimals: threeDigits },
  { metric: 'maxOverMeanLoad', heading: 'busiest / mean', best: 'least', decimals: always(3) },
];

const STYLE = `${THEME}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:1.7rem;margin:0 0 .3em}
h2{font-size:1.15rem;margin:2.2em 0 .2em}
p{margin:.3em 0}
.quiet{opacity:.75;font-size:.92rem}
.scroll{overflow-x:auto}
table{font-size:.94rem;border-collapse:collapse;margin-top:1.2em;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.35em .5em;text-align:right;border-bottom:1px solid var(--faint);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
td.best{font-weight:700}
td small{opacity:.65}
.swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.45em;vertical-align:-1px}
.legend{display:flex;flex-wrap:wrap;gap:.2em 1.2em;font-size:.88rem;margin:.5em 0 .2em}
figure{margin:0}
svg{max-width:100%;height:auto}
`;

/** One HTML page that needs nothing else: what was simulated, the table, and the plots. */
export function reportPage(plan: Plan, summaries: readonly Summary[]): string {
  const figures = charts(plan, summaries).map(
    ({ title, caption, svg, named }) =>
      `<section><h2>${escaped(title)}</h2><p class="quiet">${escaped(caption)}</p>${named ? '' : legend(summaries)}<figure class="scroll">${svg}</figure></section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(plan.name)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(plan.name)}</h1>
${plan.description === undefined ? '' : `<p>${escaped(plan.description)}</p>`}
<p class="quiet">${escaped(setting(plan, summaries))}</p>
${table(summaries)}
${figures.join('\n')}
</main>
</body>
</html>
`;
}

function setting(plan: Plan, summaries: readonly Summary[]): string {
  const { clients, servers, durationMs, warmUpMs, subsetSize } = plan;
  const { seeds, calls } = summaries[0]!;
  const perRun = Math.round(calls / seeds.length);
  return [
    `${count(clients, 'client')}, ${count(servers.length, 'server')}${subsetSize === undefined ? '' : `, each client connected to ${subsetSize}`}`,
    `${count(perRun, 'call')} in ${(durationMs - warmUpMs) / 1_000} s`,
    seeds.length === 1 ? 'one run of each picker' : `means of ${seeds.length} runs of each picker`,
  ].join(' · ');
}

function table(summaries: readonly Summary[]): string {
  const head = COLUMNS.map(({ heading }) => `<th>${escaped(heading)}</th>`).join('');
  const rows = summaries.map(({ picker, metrics }, n) => {
    const cells = COLUMNS.map((column) =>
      cell(column, metrics[column.metric], isBest(column, metrics[column.metric], summaries)),
    );
    return `<tr><td>${swatch(n)}${escaped(picker)}</td>${cells.join('')}</tr>`;
  });
  const margins = summaries[0]!.seeds.length > 1;
  const note = margins
    ? 'Below each mean, the half width of its 95 % confidence interval. Bold: the best, and whoever cannot be told from it by that.'
    : 'Bold: the best.';
  return `<div class="scroll"><table><thead><tr><th>picker</th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>
<p class="quiet">Latencies in ms, of calls that succeeded or ran out of time. ${note}</p>`;
}

function cell({ decimals, scale = 1 }: Column, { mean, margin }: Estimate, best: boolean): string {
  const show = (value: number) => (scale * value).toFixed(decimals(mean));
  const spread = margin === undefined ? '' : `<br><small>± ${show(margin)}</small>`;
  return `<td${best ? ' class="best"' : ''}>${show(mean)}${spread}</td>`;
}

/** The best of its column, or so near that their intervals meet. */
function isBest(
  { metric, best }: Column,
  { mean, margin = 0 }: Estimate,
  summaries: readonly Summary[],
): boolean {
  const sign = best === 'least' ? 1 : -1;
  const others = summaries.map(({ metrics }) => metrics[metric]);
  const first = others.reduce((a, b) => (sign * b.mean < sign * a.mean ? b : a));
  // Rounding makes no one better.
  const noise = 1e-9 * Math.abs(mean);
  return sign * (mean - first.mean) <= margin + (first.margin ?? 0) + noise;
}

function legend(summaries: readonly Summary[]): string {
  const entries = summaries.map(({ picker }, n) => `<span>${swatch(n)}${escaped(picker)}</span>`);
  return `<div class="legend">${entries.join('')}</div>`;
}

function swatch(n: number): string {
  return `<i class="swatch" style="background:${colour(n)}"></i>`;
}

function count(n: number, what: string): string {
  return `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}
