import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pickerFactory } from '../../../src/balancer/pickers/index.js';
import { compare } from '../../../src/simulator/compare.js';
import { reportPage } from '../../../src/simulator/report/page.js';
import { planOf } from '../../../src/simulator/scenario/plan.js';
import type { Scenario } from '../../../src/simulator/scenario/scenario.js';
import { findChromium } from '../../support/chromium.js';
import { scenario } from '../scenarios.js';

const PICKERS = ['round-robin', 'power-of-two', 'peak-ewma'] as const;

function page(over: Partial<Scenario> = {}, seeds = [1, 2]): string {
  const plan = planOf(scenario({ description: 'Fish & <chips>', ...over }), () => new Float64Array());
  const contenders = PICKERS.map((name) => ({ name, factory: pickerFactory(name) }));
  return reportPage(plan, compare(plan, contenders, seeds));
}

const eventful = page({
  warmUpMs: 500,
  servers: [
    { name: 'server', count: 4, concurrency: 1, queue: 4, service: { kind: 'exponential', meanMs: 25 } },
  ],
  pool: { maxPendingPerEndpoint: 3 },
  timeline: [
    { kind: 'slow', servers: 'server-1', by: 20, atMs: 2_000, forMs: 3_000 },
    { kind: 'fail', servers: 'server-2', probability: 0.5, atMs: 6_000, forMs: 1_000 },
    { kind: 'leave', servers: 'server-3', atMs: 8_000 },
  ],
});

describe('the report', () => {
  it('is one file that loads nothing', () => {
    expect(/<script|<link|<img|@import|url\(|src=/.exec(eventful)).toBeNull();
    const links = eventful.match(/https?:\/\/[^"'\s<)]+/g) ?? [];
    expect(links.filter((link) => link !== 'http://www.w3.org/2000/svg')).toEqual([]);
  });

  it('says what was simulated, and takes no text for HTML', () => {
    const shows = (text: string) => eventful.includes(text);
    expect(shows('Fish &amp; &lt;chips&gt;')).toBe(true);
    expect(shows('<chips>')).toBe(false);
    for (const picker of PICKERS) expect(shows(picker), picker).toBe(true);
    for (const event of [
      'warm-up, not counted',
      'server-1: 20 times as slow',
      'server-2: 50 % fail',
      'server-3 leaves',
    ]) {
      expect(shows(event), event).toBe(true);
    }
  });

  it('shows what there is to be shown, and no more', () => {
    const titles = (html: string) => [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);
    expect(titles(eventful)).toEqual([
      'How long calls take',
      'Calls that fail',
      'The slowest 1 %',
      'The median',
      'Calls that wait at servers',
      'Calls that wait at clients',
      'Load by server',
    ]);
    expect(titles(page())).toEqual([
      'How long calls take',
      'The slowest 1 %',
      'The median',
      'Load by server',
    ]);
  });

  it('can be made of a fleet, of a single run, and of calls that all fail', () => {
    expect(page({ servers: [{ name: 'server', count: 200, service: 5 }] }).includes('200 servers')).toBe(
      true,
    );
    expect(page({}, [1]).includes('one run of each picker')).toBe(true);
    const broken = page({ timeline: [{ kind: 'fail', servers: 'server', probability: 1, atMs: 0 }] });
    expect(broken.includes('0.000')).toBe(true);
    expect(/NaN|Infinity|undefined/.exec(broken)).toBeNull();
  });
});

const CHROMIUM = findChromium();

describe.skipIf(CHROMIUM === undefined)('the report in a browser', () => {
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-report-'));
  const url = pathToFileURL(join(directory, 'report.html')).href;
  let browser: Browser;
  beforeAll(async () => {
    writeFileSync(join(directory, 'report.html'), eventful);
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['light', 1_100],
    ['dark', 1_100],
    ['light', 390],
  ] as const)('is whole on a %s ground of %d pixels', async (colorScheme, width) => {
    const tab = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    const requests: string[] = [];
    const complaints: string[] = [];
    tab.on('request', (request) => requests.push(request.url()));
    tab.on('console', (message) => complaints.push(message.text()));
    tab.on('pageerror', (error) => complaints.push(error.message));
    await tab.goto(url);
    expect(requests).toEqual([url]);
    expect(complaints).toEqual([]);
    const seen = await tab.evaluate(LOOK);
    expect(seen.overflow).toBe(false);
    expect(seen.plots).toBe(7);
    // Text against its ground, as of WCAG 2.1: 4.5 is enough for anybody; lines need 3, and 2.5 with their width.
    expect(seen.textContrast).toBeGreaterThan(4.5);
    expect(seen.leastLineContrast).toBeGreaterThan(2.5);
    expect(seen.colours).toBe(PICKERS.length);
    await tab.close();
  });
});

/** Runs in the page: how it looks, in numbers. */
const LOOK = `(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const ground = getComputedStyle(document.body).backgroundColor;
  const strokes = [...document.querySelectorAll('svg [aria-label=line] path')].map((path) => getComputedStyle(path).stroke);
  return {
    overflow: document.documentElement.scrollWidth > innerWidth,
    plots: [...document.querySelectorAll('svg')].filter((svg) => svg.getBoundingClientRect().height > 100).length,
    textContrast: contrast(getComputedStyle(document.querySelector('h1')).color, ground),
    leastLineContrast: Math.min(...strokes.map((stroke) => contrast(stroke, ground))),
    colours: new Set(strokes).size,
  };
})()` as unknown as () => {
  overflow: boolean;
  plots: number;
  textContrast: number;
  leastLineContrast: number;
  colours: number;
};
