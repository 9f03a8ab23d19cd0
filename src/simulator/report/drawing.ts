import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Window } from '../results/recorder.js';
import type { Summary } from '../results/summary.js';
import type { Plan } from '../scenario/plan.js';
import type { TimelineEntry } from '../scenario/timeline-entries.js';
import { colour } from './theme.js';

const WIDTH = 940;
const HEIGHT = 320;
const MARGINS = { marginTop: 28, marginLeft: 64, marginRight: 44, marginBottom: 40 };
/** Names of what happened stand above a plot, in so many rows, so that neighbours do not meet. */
const NAME_ROWS = 3;
const NAME_HEIGHT = 16;
/** A logarithmic axis spans this factor at least, or chance would look like something. */
const LEAST_SPAN = 8;

/** A plot as an SVG element; pickers have their colours. */
export function draw(
  summaries: readonly Summary[],
  options: Plot.PlotOptions,
  marks: Plot.Markish[],
): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const pickers = summaries.map(({ picker }) => picker);
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    ...MARGINS,
    style: { fontSize: '13px', background: 'none' },
    color: { domain: pickers, range: pickers.map((_, n) => colour(n)) },
    ...options,
    marks,
  });
  return (svg as unknown as { outerHTML: string }).outerHTML;
}

/** A line for each picker over time, and behind them what befell the servers. */
export function drawOverTime(
  plan: Plan,
  summaries: readonly Summary[],
  value: (window: Window) => number | undefined,
  y: (values: readonly number[]) => Plot.ScaleOptions,
): string {
  const points = summaries.flatMap(({ picker, windows }) => {
    const half = (windows[1]?.atMs ?? 0) / 2;
    return windows.map((window) => ({ picker, s: (window.atMs + half) / 1_000, value: value(window) }));
  });
  const events = eventsOf(plan);
  const rows = Math.min(NAME_ROWS, events.length);
  return draw(
    summaries,
    {
      height: HEIGHT + rows * NAME_HEIGHT,
      marginTop: MARGINS.marginTop + rows * NAME_HEIGHT,
      x: { label: 'time, s', domain: [0, plan.durationMs / 1_000] },
      y: y(points.flatMap((point) => point.value ?? [])),
    },
    [...shades(events), Plot.line(points, { x: 's', y: 'value', stroke: 'picker', strokeWidth: 1.5 })],
  );
}

/** From 0 up. */
export function linear(label: string, values: readonly number[]): Plot.ScaleOptions {
  return { label, grid: true, domain: [0, Math.max(...values, Number.MIN_VALUE) * 1.05] };
}

/** With ticks at 1, 2 and 5 times the powers of ten. */
export function logarithmic(label: string, values: readonly number[]): Plot.ScaleOptions {
  let low = Math.min(...values) / 1.1;
  let high = Math.max(...values) * 1.1;
  const widen = Math.sqrt(Math.max(1, LEAST_SPAN / (high / low)));
  low /= widen;
  high *= widen;
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const digit of [1, 2, 5]) ticks.push(Number(`${digit}e${power}`));
  }
  const shown = ticks.filter((tick) => tick >= low && tick <= high);
  return { type: 'log', label, grid: true, domain: [low, high], ticks: shown, tickFormat: String };
}

interface Happening {
  readonly from: number;
  readonly until: number;
  readonly name: string;
}

/** What befalls the servers, and the time that does not count, in seconds. */
function eventsOf(plan: Plan): Happening[] {
  const end = plan.durationMs / 1_000;
  const events = plan.timeline
    .filter(({ atMs }) => atMs < plan.durationMs)
    .map((entry) => {
      const from = entry.atMs / 1_000;
      const lasts = 'forMs' in entry ? entry.forMs : undefined;
      const instant = entry.kind === 'join' || entry.kind === 'leave';
      const until = instant ? from : Math.min(end, lasts === undefined ? end : from + lasts / 1_000);
      return { from, until, name: nameOf(entry, plan) };
    });
  if (plan.warmUpMs > 0)
    events.unshift({ from: 0, until: plan.warmUpMs / 1_000, name: 'warm-up, not counted' });
  return events;
}

function nameOf(entry: TimelineEntry, plan: Plan): string {
  const names = entry.servers.map((server) => plan.servers[server]!.endpoint.id);
  const whom = names.length <= 3 ? names.join(', ') : `${names.length} servers`;
  switch (entry.kind) {
    case 'slow':
      return `${whom}: ${entry.by} times as slow`;
    case 'latency':
      return `${whom}: ${entry.ms} ms`;
    case 'fail':
      return `${whom}: ${100 * entry.probability} % fail`;
    case 'join':
    case 'leave':
      return `${whom} ${entry.kind}${names.length === 1 ? 's' : ''}`;
    default:
      return `${whom}: ${entry.kind}`;
  }
}

function shades(events: readonly Happening[]): Plot.Markish[] {
  const rows = Math.min(NAME_ROWS, events.length);
  const named = events.slice(0, 3 * NAME_ROWS);
  return [
    Plot.rectX(events, { x1: 'from', x2: 'until', fill: 'currentColor', fillOpacity: 0.08 }),
    Plot.ruleX(events, { x: 'from', stroke: 'currentColor', strokeOpacity: 0.35, strokeDasharray: '2,3' }),
    ...Array.from({ length: rows }, (_, row) =>
      Plot.text(
        named.filter((_, i) => i % rows === row),
        {
          x: 'from',
          text: 'name',
          frameAnchor: 'top',
          lineAnchor: 'bottom',
          textAnchor: 'start',
          dy: -4 - NAME_HEIGHT * row,
          fillOpacity: 0.8,
        },
      ),
    ),
  ];
}
