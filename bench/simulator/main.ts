import { runProgram } from '../support/program.js';
import { memory, scale, speed } from './cost.js';
import { antagonists, slowServer, subset } from './experiments.js';
import { leastPending, supermarket } from './theory.js';

await runProgram({
  name: 'bench-simulator',
  description:
    'Whether the simulator gives what mathematics and published experiments say, and what it costs.',
  parts: [speed, scale, memory, subset, slowServer, antagonists, leastPending, supermarket],
});
