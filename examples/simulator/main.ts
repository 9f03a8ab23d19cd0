import { leastPending, peakEwma, powerOfTwo } from 'evenkeel';
import { checkScenario, compare, readPlan } from 'evenkeel/simulator';

const scenario = checkScenario({
  name: 'one of ten is slow',
  durationMs: 30_000,
  arrivals: { kind: 'poisson', load: 0.6 },
  servers: [
    { name: 'server', count: 10, concurrency: 8, service: { kind: 'lognormal', medianMs: 20, sdMs: 15 } },
  ],
  calls: { timeoutMs: 1_000 },
  timeline: [{ kind: 'slow', servers: 'server-10', by: 20, atMs: 10_000, forMs: 10_000 }],
});
const contenders = [
  { name: 'least-pending', factory: leastPending() },
  { name: 'best of three by latency', factory: powerOfTwo({ choices: 3, meter: peakEwma() }) },
];
for (const { picker, metrics } of compare(readPlan(scenario, '.'), contenders, [1, 2, 3])) {
  console.log(`${picker}: p99 ${metrics.p99Ms.mean.toFixed(0)} ± ${metrics.p99Ms.margin!.toFixed(0)} ms`);
}
