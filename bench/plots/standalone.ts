import type { Chart } from '../../src/simulator/report/charts.js';
import { colour, THEME } from '../../src/simulator/report/theme.js';
import type { Summary } from '../../src/simulator/results/summary.js';

const LEGEND_HEIGHT = 34;
const LETTER_WIDTH = 7.6;
const SWATCH = 12;
const GAP = 26;

/**
 * A chart of a report as a file of its own, for pages that are no report: with its colours, on the ground that the reader
 * has, and with its legend where the chart does not name its pickers.
 */
export function standaloneSvg({ svg, named, title }: Chart, summaries: readonly Summary[]): string {
  const [width, height] = ['width', 'height'].map((side) => {
    const size = new RegExp(`^<svg[^>]* ${side}="(\\d+)"`).exec(svg)?.[1];
    if (size === undefined) throw new Error(`the chart ${title} has no ${side}`);
    return Number(size);
  }) as [number, number];
  const top = named ? 0 : LEGEND_HEIGHT;
  const style = `${THEME} svg{color:var(--ink);font:13px system-ui,sans-serif}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + top}" viewBox="0 0 ${width} ${height + top}" role="img" aria-label="${title}">`,
    `<style>${style.replace(/\n/g, ' ')}</style>`,
    '<rect width="100%" height="100%" fill="var(--paper)"/>',
    named ? '' : legend(summaries),
    svg.replace('<svg', `<svg y="${top}"`),
    '</svg>\n',
  ].join('\n');
}

function legend(summaries: readonly Summary[]): string {
  let x = 64;
  return summaries
    .map(({ picker }, n) => {
      const entry = `<rect x="${x}" y="12" width="${SWATCH}" height="${SWATCH}" rx="2" fill="${colour(n)}"/><text x="${x + SWATCH + 6}" y="22.5" fill="currentColor">${picker}</text>`;
      x += SWATCH + 6 + picker.length * LETTER_WIDTH + GAP;
      return entry;
    })
    .join('');
}
