// Proves that evenkeel understands what others serve: `npm run interop [-- --json] [--only NAME...] [--transport NAME]`.
import { runProgram } from '../support/program.js';
import { cases } from './cases/part.js';
import { conformance } from './conformance/part.js';
import { etcdNaming } from './etcd-naming/part.js';
import { peers } from './peers/parts.js';
import { TRANSPORTS } from './support/wire.js';

await runProgram({
  name: 'interop',
  description:
    'Runs the suites that others wrote for gRPC clients, and calls servers and proxies that others wrote.',
  transports: TRANSPORTS,
  parts: [conformance, cases, etcdNaming, ...peers],
});
