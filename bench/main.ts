import { memoryParts } from './memory/parts.js';
import { http2Parts } from './overhead/http2-parts.js';
import { overheadParts } from './overhead/parts.js';
import { pickParts } from './pick/parts.js';
import { runProgram } from './support/program.js';

await runProgram({
  name: 'bench',
  description:
    'What a call, a pick, a change of the table and an idle connection cost, beside what they replace.',
  parts: [...overheadParts, ...http2Parts, ...pickParts, ...memoryParts],
});
