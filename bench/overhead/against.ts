// What a change costs a healthy call: a stub of this tree beside one of another, which is built, in one run.
//
//   node dist/bench/overhead/against.js ../before
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../support/program.js';
import { ratioOfMedians } from '../support/ratio.js';
import { Clients } from './clients.js';
import { rounds } from './measure.js';
import { startServers } from './servers.js';

const SERVERS = 4;
const ROUNDS = 30;
const ORDER = { calls: 2_500, concurrency: 64 };
/** What the interval's lower end may be: above it the change costs something, and not the noise. */
const MOST = 1.02;

const THIS = fileURLToPath(new URL('../../..', import.meta.url));
const CLIENT = fileURLToPath(new URL('./tree-client.js', import.meta.url));
const [node, program, ...args] = process.argv as [string, string, ...string[]];
const before = args.find((arg) => !arg.startsWith('-'));

await runProgram(
  {
    name: 'bench-against',
    description:
      'What a change costs a healthy call. Give the folder of a tree before it, built by `tsc -b`.',
    parts: [
      {
        name: 'against',
        targets: ['stub-cpu/before/low'],
        async run(run) {
          if (before === undefined) throw new Error('give the folder of another tree');
          const other = resolve(before);
          if (!existsSync(`${other}/dist/src/index.js`))
            throw new Error(`${other} is not a tree that is built: run npx tsc -b there`);
          const servers = await startServers(SERVERS, run.signal);
          const trees = { before: other, after: THIS };
          const clients = await Clients.start(['before', 'after'], servers.addresses, run.signal, {
            program: CLIENT,
            argument: (tree) => trees[tree],
          });
          try {
            const options = { ...ORDER, rounds: ROUNDS, signal: run.signal };
            const samples = await rounds(
              (tree, order) => clients.run(tree, order),
              ['before', 'after'],
              options,
            );
            const cpu = (tree: 'before' | 'after') => samples[tree].map(({ cpuUs }) => cpuUs);
            const { ratio, low, high } = ratioOfMedians(cpu('after'), cpu('before'));
            run.say(
              `CPU per call, after / before: ${[ratio, low, high].map((n) => n.toFixed(3)).join(', ')}`,
            );
            run.record('against', { before: other, ratio, low, high });
            run.atMost('stub-cpu/before/low', low, MOST, 'times, the lower end of 95 %');
          } finally {
            clients.close();
            servers.close();
          }
        },
      },
    ],
  },
  [node, program, ...args.filter((arg) => arg !== before)],
);
