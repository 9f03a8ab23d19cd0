// Throws hostile input at what takes input from outside: `npm run fuzz [-- --seconds N] [--only NAME...] [--json]`.
import { runProgram } from '../support/program.js';
import { backendFrames } from './frames.js';
import { gatewayRequests } from './gateway.js';
import { registryValues } from './registry.js';

await runProgram({
  name: 'fuzz',
  description: 'Hostile input from every side, beside innocent calls that must not notice.',
  seconds: 'how long each part lasts (default 60)',
  parts: [gatewayRequests, registryValues, ...backendFrames],
});
