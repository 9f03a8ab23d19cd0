// A short selection of what `npm run interrupt` does in full. How soon a program is gone is that program's business: here
// a machine may be as slow as it likes.
import { describe, expect, it } from 'vitest';
import { after, compiled } from '../../bench/interrupt/programs.js';
import { type Interruptible, interrupt, type Moment } from '../../bench/interrupt/trial.js';

const soak = (part: string): Interruptible => ({
  name: `soak --only ${part}`,
  command: compiled('bench/soak/main.js', '--json', '--only', part),
});
const demo: Interruptible = { name: 'demo', command: compiled('examples/demo/main.js', '--json') };

const trials: readonly (readonly [Interruptible, NodeJS.Signals, Moment])[] = [
  // While its first servers start.
  [demo, 'SIGINT', after('The registry is ', 50)[0]!],
  // A server is killed.
  [demo, 'SIGTERM', after('(2)', 0)[0]!],
  // A server is stopped, and will be started again.
  [soak('million'), 'SIGTERM', after(' of 1000000 calls', 2_200)[0]!],
  // A server stands still: it hears nothing but SIGKILL.
  [soak('stopped-server'), 'SIGINT', after('stopped-server:', 4_500)[0]!],
  [
    { name: 'simulate', command: compiled('src/cli/main.js', 'simulate', 'bench/scenarios/big-fleet.json') },
    'SIGINT',
    { afterMs: 1_500 },
  ],
];

describe('a program that is interrupted', () => {
  it.each(trials.map(([program, signal, moment]) => [program.name, signal, moment, program] as const))(
    '%s, %s at %j: ends with its code, and leaves nothing',
    async (_, signal, moment, program) => {
      const { left, ended, asItShould, tooLate, said } = await interrupt(
        program,
        signal,
        moment,
        new AbortController().signal,
      );
      expect(left, said).toEqual([]);
      expect(asItShould, `${ended}: ${said}`).toBe(true);
      expect(tooLate).toBe(false);
    },
  );
});
