// Proves on real servers what evenkeel promises of them: `npm run soak [-- --json] [--only NAME...] [--seconds N]
// [--transport NAME]`.
import { transportNames } from '../../src/cli/transport.js';
import { runProgram } from '../support/program.js';
import { partOf } from './scenario.js';
import { scenarios } from './scenarios/index.js';

await runProgram({
  name: 'soak',
  description: 'Does to servers under load whatever happens to servers, and measures what comes of it.',
  seconds: 'how long each scenario has its trouble; default: as long as its targets are for',
  transports: transportNames,
  defaultTransport: 'grpc-js',
  parts: scenarios.map(partOf),
});
