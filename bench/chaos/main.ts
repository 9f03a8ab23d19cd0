// Proves on real etcds what evenkeel promises of their faults: `npm run chaos [-- --json] [--only NAME...] [--etcd PATH]
// [--transport NAME]`. And on a real API server of Kubernetes, where KUBE_APISERVER says where one is.
import { transportNames } from '../../src/cli/transport.js';
import { isProgram } from '../../test/support/debian.js';
import { runProgram } from '../support/program.js';
import { partOf, type Report, sumUp } from './fault.js';
import { faults } from './faults/index.js';
import { kubernetes } from './faults/kubernetes.js';

/** All faults of etcd together must not take longer, in seconds. */
const MOST_SECONDS = 480;

const reports: Report[] = [];

await runProgram({
  name: 'chaos',
  description:
    'Does every fault to etcd, the network and the servers, under load, and measures what comes of it; and to an API ' +
    'server of Kubernetes, where KUBE_APISERVER names one.',
  seconds: 'how long a store stays quiet in the parts that are about that (default 30)',
  option: {
    flags: '--etcd <path>',
    description: 'the etcd to do it to (default: $ETCD_BIN, or the one on PATH)',
    take(path) {
      if (!isProgram(path)) throw new Error(`--etcd is ${path}, which is not a program`);
      process.env.ETCD_BIN = path;
    },
  },
  transports: transportNames,
  defaultTransport: 'grpc-js',
  parts: faults.map((fault) => partOf(fault, (report) => reports.push(report))),
  sumUp(run) {
    sumUp(run, reports);
    const ofKubernetes = reports.filter(({ fault }) => kubernetes.includes(fault));
    if (reports.length - ofKubernetes.length === faults.length - kubernetes.length) {
      const others = ofKubernetes.reduce((sum, { seconds }) => sum + seconds, 0);
      run.atMost('chaos/seconds', performance.now() / 1000 - others, MOST_SECONDS, 's');
    }
  },
});
