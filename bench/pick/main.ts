import { runProgram } from '../support/program.js';
import { pickParts } from './parts.js';

await runProgram({
  name: 'bench-pick',
  description:
    'What a pick costs, for every picker, and what a change of the table costs, as the fleet grows.',
  parts: pickParts,
});
