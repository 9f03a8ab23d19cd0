import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPicker } from '../../src/cli/load-picker.js';
import { summaryTable } from '../../src/cli/summary-table.js';
import { type Contender, compare } from '../../src/simulator/compare.js';
import { charts } from '../../src/simulator/report/charts.js';
import { readPlan, readScenario } from '../../src/simulator/scenario/read-scenario.js';
import { type Part, runProgram } from '../support/program.js';
import { standaloneSvg } from './standalone.js';

/** A scenario of the gallery, and the charts of its report that bench/README.md shows, by their titles. */
interface Plotted {
  readonly name: string;
  readonly titles: Readonly<Record<string, string>>;
}

const PERCENTILES = { percentiles: 'How long calls take' };
const FAILURES = { failures: 'Calls that fail' };

const PLOTTED: readonly Plotted[] = [
  { name: 'one-slow-server', titles: FAILURES },
  { name: 'failing-fast', titles: FAILURES },
  { name: 'failing-fast-ejected', titles: {} },
  { name: 'hung-server', titles: FAILURES },
  { name: 'crashes', titles: {} },
  { name: 'deploy', titles: {} },
  { name: 'weights', titles: { load: 'Load by server' } },
  { name: 'bursts', titles: { waiting: 'Calls that wait at clients' } },
  { name: 'hedging-off', titles: {} },
  { name: 'hedging', titles: {} },
  { name: 'hot-keys', titles: {} },
  { name: 'antagonists-70', titles: {} },
  { name: 'antagonists-90', titles: PERCENTILES },
  { name: 'supermarket', titles: PERCENTILES },
  { name: 'big-fleet', titles: {} },
];
const SEEDS = [1, 2, 3];

/** From dist/bench/plots/ to the sources, where the pages are that show the plots. */
const BENCH = fileURLToPath(new URL('../../../bench/', import.meta.url));

function part({ name, titles }: Plotted): Part {
  return {
    name,
    targets: [],
    async run(run) {
      const path = `${BENCH}scenarios/${name}.json`;
      const scenario = readScenario(path);
      const plan = readPlan(scenario, path);
      const contenders: Contender[] = [];
      for (const picker of scenario.pickers ?? []) contenders.push(await loadPicker(picker, dirname(path)));
      const summaries = await run.busy(() =>
        compare(plan, contenders, SEEDS, (picker, done) =>
          run.progress(`${name}: ${picker}, ${(100 * done).toFixed(0)} %`),
        ),
      );
      run.say(`\n${name}: ${plan.description}\n${summaryTable(summaries)}`);
      run.record(
        name,
        summaries.map(({ picker, metrics }) => ({ picker, metrics })),
      );
      const drawn = charts(plan, summaries);
      for (const [what, title] of Object.entries(titles)) {
        const chart = drawn.find((each) => each.title === title);
        if (chart === undefined) throw new Error(`the report of ${name} has no chart ${title}`);
        writeFileSync(`${BENCH}plots/${name}-${what}.svg`, standaloneSvg(chart, summaries));
      }
    },
  };
}

await runProgram({
  name: 'bench-plots',
  description: 'Simulates the gallery, prints its tables, and draws the plots of bench/README.md anew.',
  parts: PLOTTED.map(part),
});
