// Proves on real etcds what evenkeel promises of their faults: `npm run chaos [-- --json] [--only NAME...]`.
import { runProgram } from '../support/program.js';
import { partOf, type Report, sumUp } from './fault.js';
import { faults } from './faults/index.js';

/** All faults together must not take longer, in seconds. */
const MOST_SECONDS = 480;

const reports: Report[] = [];

await runProgram({
  name: 'chaos',
  description:
    'Does every fault to etcd, the network and the servers, under load, and measures what comes of it.',
  parts: faults.map((fault) => partOf(fault, (report) => reports.push(report))),
  sumUp(run) {
    sumUp(run, reports);
    if (reports.length === faults.length) {
      run.atMost('chaos/seconds', performance.now() / 1000, MOST_SECONDS, 's');
    }
  },
});
