import * as Plot from '@observablehq/plot';
import type { Window } from '../results/recorder.js';
import type { Summary } from '../results/summary.js';
import type { Plan } from '../scenario/plan.js';
import { draw, drawOverTime, linear, logarithmic } from './drawing.js';

/** A plot, and what it shows. */
export interface Chart {
  readonly title: string;
  readonly caption: string;
  /** An SVG element, its colours variables of the theme. */
  readonly svg: string;
  /** Whether the plot says itself which picker is which. */
  readonly named: boolean;
}

/** Servers up to this number have a bar each. */
const MOST_BARS = 24;
/** Of more servers than this, some stand for all. */
const MOST_POINTS = 500;

/** Every plot that has something to show. */
export function charts(plan: Plan, summaries: readonly Summary[]): Chart[] {
  const windows = summaries.flatMap((summary) => summary.windows);
  const any = (value: (window: Window) => number) => windows.some((window) => value(window) > 0);
  const overTime = (
    title: string,
    caption: string,
    value: (window: Window) => number | undefined,
    y: (values: readonly number[]) => Plot.ScaleOptions,
  ) => ({ title, caption, named: false, svg: drawOverTime(plan, summaries, value, y) });

  const shown: Chart[] = [percentiles(summaries)];
  if (any(({ failed }) => failed)) {
    shown.push(
      overTime(
        'Calls that fail',
        'Of the calls that end at that time, those that do not succeed. Lower is better.',
        ({ calls, failed }) => (calls === 0 ? undefined : (100 * failed) / calls),
        (values) => linear('failed, %', values),
      ),
    );
  }
  shown.push(
    overTime(
      'The slowest 1 %',
      'The latency within which 99 % of the calls end that end at that time. Lower is better. The scale is logarithmic.',
      ({ p99Ms }) => p99Ms,
      (values) => logarithmic('p99, ms', values),
    ),
    overTime(
      'The median',
      'The latency within which half of the calls end that end at that time. Lower is better. The scale is logarithmic.',
      ({ p50Ms }) => p50Ms,
      (values) => logarithmic('p50, ms', values),
    ),
  );
  if (any(({ queuedAtServers }) => queuedAtServers)) {
    shown.push(
      overTime(
        'Calls that wait at servers',
        'How many calls have come to a server that has not begun with them, over all servers. Lower is better.',
        ({ queuedAtServers }) => queuedAtServers,
        (values) => linear('calls', values),
      ),
    );
  }
  if (any(({ queuedAtClients }) => queuedAtClients)) {
    shown.push(
      overTime(
        'Calls that wait at clients',
        'How many calls wait for a server with room to be sent to, over all clients. Lower is better.',
        ({ queuedAtClients }) => queuedAtClients,
        (values) => linear('calls', values),
      ),
    );
  }
  shown.push(plan.servers.length <= MOST_BARS ? loadByServer(plan, summaries) : loadByRank(summaries));
  return shown;
}

function percentiles(summaries: readonly Summary[]): Chart {
  const points = summaries.flatMap(({ picker, quantiles }) =>
    quantiles.map(({ q, ms }) => ({ picker, nines: -Math.log10(1 - q), ms: Math.max(ms, 0.001) })),
  );
  const y = logarithmic(
    'latency, ms',
    points.map(({ ms }) => ms),
  );
  const x: Plot.ScaleOptions = {
    label: 'calls, %',
    ticks: [0, -Math.log10(0.5), 1, 2, 3, 4, 5],
    tickFormat: (nines: number) => `${Number((100 * (1 - 10 ** -nines)).toPrecision(6))} %`,
    grid: true,
  };
  return {
    title: 'How long calls take',
    caption:
      'The latency within which so many per cent of the calls end; each mark to the right is of calls ten times as rare. Lower is better. Both scales are logarithmic.',
    named: false,
    svg: draw(summaries, { x, y }, [
      Plot.line(points, { x: 'nines', y: 'ms', stroke: 'picker', strokeWidth: 2 }),
    ]),
  };
}

const LOAD = 'How many calls a server gets, as a multiple of an even share, which is 1.';

function evenShare(): Plot.Markish {
  return Plot.ruleY([1], { stroke: 'currentColor', strokeDasharray: '3,3', strokeOpacity: 0.6 });
}

function loadByServer(plan: Plan, summaries: readonly Summary[]): Chart {
  const bars = summaries.flatMap(({ picker, shares }) =>
    shares.map((share, i) => ({ picker, server: plan.servers[i]!.endpoint.id, load: share * shares.length })),
  );
  const options: Plot.PlotOptions = {
    height: 92 + 72 * summaries.length,
    marginLeft: 44,
    marginRight: 158,
    marginBottom: 72,
    x: { label: null, tickRotate: -40, domain: plan.servers.map(({ endpoint }) => endpoint.id) },
    y: {
      ...linear(
        'load',
        bars.map(({ load }) => load),
      ),
      ticks: 3,
    },
    fy: { label: null, domain: summaries.map(({ picker }) => picker) },
  };
  return {
    title: 'Load by server',
    caption: LOAD,
    named: true,
    svg: draw(summaries, options, [
      Plot.barY(bars, {
        x: 'server',
        y: 'load',
        fy: 'picker',
        fill: 'picker',
        title: ({ picker, server, load }: (typeof bars)[number]) =>
          `${picker}, ${server}: ${load.toFixed(3)}`,
      }),
      evenShare(),
    ]),
  };
}

function loadByRank(summaries: readonly Summary[]): Chart {
  const points = summaries.flatMap(({ picker, shares }) => {
    const sorted = [...shares].sort((a, b) => b - a);
    const step = Math.ceil(sorted.length / MOST_POINTS);
    return sorted
      .map((share, i) => ({ picker, rank: (100 * (i + 0.5)) / sorted.length, load: share * sorted.length }))
      .filter((_, i) => i % step === 0 || i === sorted.length - 1);
  });
  const y = linear(
    'load',
    points.map(({ load }) => load),
  );
  return {
    title: 'Load by server',
    caption: `${LOAD} The servers of each picker are in order, the busiest to the left; a level line is an even load.`,
    named: false,
    svg: draw(summaries, { x: { label: 'servers, %', domain: [0, 100] }, y }, [
      evenShare(),
      Plot.line(points, { x: 'rank', y: 'load', stroke: 'picker', strokeWidth: 2 }),
    ]),
  };
}
