// Proves on real etcds what evenkeel promises of their faults: `npm run chaos [-- --json] [--only NAME...] [--etcd PATH]`.
import { isProgram } from '../../test/support/debian.js';
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
  seconds: 'how long a store stays quiet in the parts that are about that (default 30)',
  option: {
    flags: '--etcd <path>',
    description: 'the etcd to do it to (default: $ETCD_BIN, or the one on PATH)',
    take(path) {
      if (!isProgram(path)) throw new Error(`--etcd is ${path}, which is not a program`);
      process.env.ETCD_BIN = path;
    },
  },
  parts: faults.map((fault) => partOf(fault, (report) => reports.push(report))),
  sumUp(run) {
    sumUp(run, reports);
    if (reports.length === faults.length) {
      run.atMost('chaos/seconds', performance.now() / 1000, MOST_SECONDS, 's');
    }
  },
});
