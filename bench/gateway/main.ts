import { runProgram } from '../support/program.js';
import { gatewayParts } from './parts.js';

await runProgram({
  name: 'bench-gateway',
  description: 'What a request through the gateway costs, beside a route and a client written by hand.',
  parts: gatewayParts,
});
