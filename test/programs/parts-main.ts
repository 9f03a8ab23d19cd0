// A program for `program.test.ts`: one part cannot be run, one measures over each transport that was asked for.
import { runProgram, Skipped } from '../../bench/support/program.js';

const TRANSPORTS = ['one', 'other'];

await runProgram({
  name: 'parts',
  description: 'For a test.',
  transports: TRANSPORTS,
  parts: [
    {
      name: 'impossible',
      targets: ['impossible/one/done'],
      async run() {
        throw new Skipped('there is no such tool');
      },
    },
    {
      // Named as a transport is, which its targets are not to be taken for.
      name: 'one',
      targets: TRANSPORTS.map((transport) => `one/${transport}/done`),
      async run({ transport, atLeast }) {
        for (const each of TRANSPORTS)
          if (each === (transport ?? each)) atLeast(`one/${each}/done`, 1, 1, '');
      },
    },
  ],
});
