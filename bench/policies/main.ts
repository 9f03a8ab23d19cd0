import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { summaryTable } from '../../src/cli/summary-table.js';
import { compare } from '../../src/simulator/compare.js';
import { reportPage } from '../../src/simulator/report/page.js';
import { type Summary, summarize } from '../../src/simulator/results/summary.js';
import { planOf } from '../../src/simulator/scenario/plan.js';
import { type Part, runProgram } from '../support/program.js';
import { evenkeel, grpcJs } from './contestants.js';
import { Fleet } from './fleet.js';
import { runLive } from './live.js';
import { pairs } from './order.js';
import { type SmallScenario, smallScenarios } from './scenarios.js';

const OURS = [
  evenkeel('round-robin'),
  evenkeel('random'),
  evenkeel('weighted-round-robin'),
  evenkeel('least-pending'),
  evenkeel('power-of-two'),
  evenkeel('peak-ewma'),
];
const CONTESTANTS = [grpcJs('pick_first'), grpcJs('round_robin'), ...OURS];
const LIVE_SEED = 1;
const SIMULATED_SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/** Beside the compiled program. */
const REPORTS = fileURLToPath(new URL('./reports/', import.meta.url));

function part({ name, within }: SmallScenario, index: number): Part {
  // A limit of pending calls and a queue are the pool's: grpc-js has neither to be compared.
  const contestants = within === undefined ? CONTESTANTS : OURS;
  return {
    name,
    targets: [
      `policies/${name}/pairs-out-of-order`,
      ...(within === undefined ? [] : [`policies/${name}/success-apart`]),
    ],
    async run(run) {
      const { scenario, metric } = smallScenarios(run.seconds && run.seconds * 1_000)[index]!;
      const plan = planOf(scenario, () => new Float64Array());
      const simulated = await run.busy(() => compare(plan, contestants, SIMULATED_SEEDS));
      run.say(`\n${name}: ${scenario.description}`);
      const real: Summary[] = [];
      const fleet = await Fleet.start(scenario, plan.servers.length, run.signal);
      let latestMs = 0;
      try {
        for (const contestant of contestants) {
          run.progress(`${contestant.name}, live for ${scenario.durationMs / 1_000} s`);
          const live = await runLive(plan, scenario.pool ?? {}, contestant, fleet, LIVE_SEED, run.signal);
          real.push(summarize(contestant.name, [live.result]));
          latestMs = Math.max(latestMs, live.latestMs);
        }
      } finally {
        fleet.close();
      }
      run.say(`\nlive:\n${summaryTable(real)}`);
      run.say(`\nsimulated:\n${summaryTable(simulated)}\n`);
      run.say(`The load was behind its plan by at most ${latestMs.toFixed(0)} ms.`);
      const told = pairs(simulated, real, metric);
      const wrong = told.filter(({ agreed }) => !agreed);
      run.say(`By ${metric} the simulator tells ${told.length} pairs of policies apart.`);
      for (const { better, worse } of wrong) run.say(`out of order: ${better} was not better than ${worse}`);
      run.record(name, { simulated, real, pairs: told, latestMs });
      run.atMost(`policies/${name}/pairs-out-of-order`, wrong.length, 0, '');
      if (within !== undefined) {
        // With the same arrivals: from seed to seed their number alone moves success by more than that.
        const same = await run.busy(() => compare(plan, contestants, [LIVE_SEED]));
        const apart = real.map(({ metrics }, at) =>
          Math.abs(metrics.successRate.mean - same[at]!.metrics.successRate.mean),
        );
        run.atMost(`policies/${name}/success-apart`, 100 * Math.max(...apart), within, 'points');
      }
      mkdirSync(REPORTS, { recursive: true });
      for (const [what, of] of [
        ['live', real],
        ['simulated', simulated],
      ] as const) {
        const path = `${REPORTS}${name}-${what}.html`;
        writeFileSync(path, reportPage({ ...plan, name: `${plan.name}, ${what}` }, of));
        run.say(`The ${what} report is in ${path}`);
      }
    },
  };
}

await runProgram({
  name: 'bench-policies',
  description:
    "Balancing policies on real servers, evenkeel's and grpc-js's own, beside what the simulator says of them.",
  seconds: 'how long each policy is run live; default 12',
  parts: smallScenarios().map(part),
});
