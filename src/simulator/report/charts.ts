import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Plan } from '../plan.js';
import type { Window } from '../recorder.js';
import type { Summary } from '../summary.js';
import { colour } from './theme.js';

/** A plot, and what it shows. */
export interface Chart {
  readonly title: string;
  readonly caption: string;
  /** An SVG element, its colours variables of the theme. */
  readonly svg: string;
}

const WIDTH = 920;
const HEIGHT = 320;
const MARGINS = { marginLeft: 64, marginRight: 24, marginBottom: 40 };
/** Servers up to this number have a bar each. */
const MOST_BARS = 24;
const PERCENTILES = [0.5, 0.9, 0.99, 0.999, 0.9999];

/** Every plot that has something to show. */
export function charts(plan: Plan, summaries: readonly Summary[]): Chart[] {
  const windows = summaries.flatMap((summary) => summary.windows);
  const any = (value: (window: Window) => number) => windows.some((window) => value(window) > 0);
  return [
    percentiles(summaries),
    ...(any(({ failed }) => failed) ? [failures(plan, summaries)] : []),
    latencyOverTime(plan, summaries, 'p99Ms'),
    latencyOverTime(plan, summaries, 'p50Ms'),
    ...(any(({ queuedAtServers }) => queuedAtServers) ? [queue(plan, summaries, 'queuedAtServers')] : []),
    ...(any(({ queuedAtClients }) => queuedAtClients) ? [queue(plan, summaries, 'queuedAtClients')] : []),
    plan.servers.length <= MOST_BARS ? loadByServer(plan, summaries) : loadByRank(summaries),
  ];
}

function percentiles(summaries: readonly Summary[]): Chart {
  const points = summaries.flatMap(({ picker, quantiles }) =>
    quantiles.map(({ q, ms }) => ({ picker, nines: -Math.log10(1 - q), ms: Math.max(ms, 0.001) })),
  );
  return {
    title: 'How long calls take',
    caption:
      'The latency that so many per cent of the calls stay within; every mark to the right is ten times as rare. Lower is better. Both scales are logarithmic.',
    svg: draw(
      summaries,
      {
        x: {
          label: 'per cent of calls',
          ticks: [0, ...PERCENTILES.map((q) => -Math.log10(1 - q)), 5],
          tickFormat: (nines: number) => `${Number((100 * (1 - 10 ** -nines)).toPrecision(6))} %`,
          grid: true,
        },
        y: { type: 'log', label: 'latency, ms', grid: true, tickFormat: plain },
      },
      [Plot.line(points, { x: 'nines', y: 'ms', stroke: 'picker', strokeWidth: 2 })],
    ),
  };
}

function latencyOverTime(plan: Plan, summaries: readonly Summary[], percentile: 'p50Ms' | 'p99Ms'): Chart {
  const points = overTime(summaries, (window) => window[percentile]);
  const share = percentile === 'p99Ms' ? '99 %' : 'half';
  return {
    title: percentile === 'p99Ms' ? 'The slowest 1 % over time' : 'The median over time',
    caption: `The latency that ${share} of the calls stay within that end at that time. Lower is better. The scale is logarithmic.`,
    svg: draw(
      summaries,
      {
        x: seconds(plan),
        y: { type: 'log', label: `${percentile.slice(0, 3)}, ms`, grid: true, tickFormat: plain },
      },
      [...events(plan), Plot.line(points, { x: 's', y: 'value', stroke: 'picker', strokeWidth: 1.5 })],
    ),
  };
}

function failures(plan: Plan, summaries: readonly Summary[]): Chart {
  const points = overTime(summaries, ({ calls, failed }) =>
    calls === 0 ? undefined : (100 * failed) / calls,
  );
  return {
    title: 'Calls that fail over time',
    caption: 'Of the calls that end at that time, those that do not succeed. Lower is better.',
    svg: draw(summaries, { x: seconds(plan), y: { label: 'failed, %', grid: true, zero: true } }, [
      ...events(plan),
      Plot.line(points, { x: 's', y: 'value', stroke: 'picker', strokeWidth: 1.5 }),
    ]),
  };
}

function queue(
  plan: Plan,
  summaries: readonly Summary[],
  where: 'queuedAtServers' | 'queuedAtClients',
): Chart {
  const points = overTime(summaries, (window) => window[where]);
  const [place, whose] =
    where === 'queuedAtServers'
      ? ['at servers', 'for a server to begin with them']
      : ['at clients', 'for a server with room'];
  return {
    title: `Calls that wait ${place}`,
    caption: `How many calls wait at a time ${whose}, over all of them. Lower is better.`,
    svg: draw(
      summaries,
      { x: seconds(plan), y: { label: 'calls', grid: true, zero: true, tickFormat: plain } },
      [...events(plan), Plot.line(points, { x: 's', y: 'value', stroke: 'picker', strokeWidth: 1.5 })],
    ),
  };
}

const LOAD_CAPTION = 'How many calls a server gets, as a multiple of an even share: 1 is its even share.';

function loadByServer(plan: Plan, summaries: readonly Summary[]): Chart {
  const bars = summaries.flatMap(({ picker, shares }) =>
    shares.map((share, i) => ({ picker, server: plan.servers[i]!.endpoint.id, load: share * shares.length })),
  );
  const most = Math.max(...bars.map(({ load }) => load));
  return {
    title: 'Load by server',
    caption: LOAD_CAPTION,
    svg: draw(
      summaries,
      {
        height: 56 + 74 * summaries.length,
        marginLeft: 44,
        marginRight: 148,
        marginBottom: 64,
        x: {
          label: null,
          tickRotate: plan.servers.length > 8 ? -40 : 0,
          domain: plan.servers.map(({ endpoint }) => endpoint.id),
        },
        y: { label: 'load', grid: true, ticks: 3, domain: [0, most * 1.05] },
        fy: { label: null, domain: summaries.map(({ picker }) => picker) },
      },
      [
        Plot.barY(bars, {
          x: 'server',
          y: 'load',
          fy: 'picker',
          fill: 'picker',
          title: ({ picker, server, load }: (typeof bars)[number]) =>
            `${picker}, ${server}: ${load.toFixed(3)}`,
        }),
        Plot.ruleY([1], { stroke: 'currentColor', strokeDasharray: '3,3', strokeOpacity: 0.6 }),
      ],
    ),
  };
}

function loadByRank(summaries: readonly Summary[]): Chart {
  const points = summaries.flatMap(({ picker, shares }) => {
    const sorted = [...shares].sort((a, b) => b - a);
    const step = Math.max(1, Math.floor(sorted.length / 500));
    return sorted
      .map((share, i) => ({ picker, rank: (100 * (i + 0.5)) / sorted.length, load: share * sorted.length }))
      .filter((_, i) => i % step === 0 || i === sorted.length - 1);
  });
  return {
    title: 'Load by server',
    caption: `${LOAD_CAPTION} The servers are in order, the busiest to the left; a level line is an even load.`,
    svg: draw(
      summaries,
      {
        x: { label: 'servers, %' },
        y: { label: 'load', grid: true, zero: true },
      },
      [
        Plot.ruleY([1], { stroke: 'currentColor', strokeDasharray: '3,3', strokeOpacity: 0.6 }),
        Plot.line(points, { x: 'rank', y: 'load', stroke: 'picker', strokeWidth: 2 }),
      ],
    ),
  };
}

function draw(summaries: readonly Summary[], options: Plot.PlotOptions, marks: Plot.Markish[]): string {
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

function seconds(plan: Plan): Plot.ScaleOptions {
  return { label: 'time, s', domain: [0, plan.durationMs / 1_000] };
}

/** What befalls the servers, and the time that does not count, shaded and named behind the lines. */
function events(plan: Plan): Plot.Markish[] {
  const end = plan.durationMs / 1_000;
  const spans = plan.timeline
    .filter(({ atMs }) => atMs < plan.durationMs)
    .map((entry) => {
      const from = entry.atMs / 1_000;
      const lasts = 'forMs' in entry ? entry.forMs : undefined;
      const instant = entry.kind === 'join' || entry.kind === 'leave';
      const until = instant ? from : Math.min(end, lasts === undefined ? end : from + lasts / 1_000);
      return { from, until, name: `${entry.kind}: ${named(plan, entry.servers)}` };
    });
  if (plan.warmUpMs > 0)
    spans.unshift({ from: 0, until: plan.warmUpMs / 1_000, name: 'warm-up, not counted' });
  const labelled = spans.slice(0, 9).map((span, i) => ({ ...span, row: i % 3 }));
  return [
    Plot.rectX(spans, { x1: 'from', x2: 'until', fill: 'currentColor', fillOpacity: 0.08 }),
    Plot.ruleX(spans, { x: 'from', stroke: 'currentColor', strokeOpacity: 0.35, strokeDasharray: '2,3' }),
    ...[0, 1, 2].map((row) =>
      Plot.text(
        labelled.filter((span) => span.row === row),
        {
          x: 'from',
          text: 'name',
          frameAnchor: 'top',
          textAnchor: 'start',
          dx: 4,
          dy: 3 + 15 * row,
          fillOpacity: 0.75,
        },
      ),
    ),
  ];
}

function named(plan: Plan, servers: readonly number[]): string {
  const names = servers.map((server) => plan.servers[server]!.endpoint.id);
  return names.length <= 3 ? names.join(', ') : `${names.length} servers`;
}

function overTime(
  summaries: readonly Summary[],
  value: (window: Window) => number | undefined,
): { picker: string; s: number; value: number }[] {
  return summaries.flatMap(({ picker, windows }) => {
    const half = (windows[1]?.atMs ?? 0) / 2;
    return windows.flatMap((window) => {
      const at = value(window);
      return at === undefined ? [] : [{ picker, s: (window.atMs + half) / 1_000, value: at }];
    });
  });
}

/** 1000, not 1k or 1,000; and of a logarithmic scale only every ten times as much, with 2 and 5 between. */
function plain(value: number): string {
  const digit = Math.round(value / 10 ** Math.floor(Math.log10(value)));
  return value === 0 || digit === 1 || digit === 2 || digit === 5 ? String(Number(value.toPrecision(3))) : '';
}
