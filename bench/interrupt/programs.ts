import { faults } from '../chaos/faults/index.js';
import { gatewayParts } from '../gateway/parts.js';
import { memoryParts } from '../memory/parts.js';
import { overheadParts } from '../overhead/parts.js';
import { pickParts } from '../pick/parts.js';
import { scenarios } from '../soak/scenarios/index.js';
import type { Interruptible, Moment } from './trial.js';

/** A program, and when it is interrupted. */
export interface Plan extends Interruptible {
  readonly moments: readonly Moment[];
}

/** As `npm run NAME` starts it, once it is compiled. */
export function compiled(program: string, ...args: string[]): Interruptible['command'] {
  return [process.execPath, `dist/${program}`, ...args];
}

/** From the first line of the compiler on, by npm: nothing of these may be left either. */
const THROUGH_NPM: readonly Plan[] = ['demo', 'soak', 'bench', 'simulate'].map((name) => ({
  name: `npm run ${name}`,
  command: ['npm', 'run', name, '--', '--json'],
  moments: at(200, 500, 1_000, 2_000),
}));

/** While Node loads it, and in its first moments. */
const STARTING = [0, 50, 100, 200, 300, 500, 750, 1_000];

function at(...times: readonly number[]): Moment[] {
  return times.map((afterMs) => ({ afterMs }));
}

/** So long after it has said something. */
export function after(said: string, ...times: readonly number[]): Moment[] {
  return times.map((afterMs) => ({ said, afterMs }));
}

/** One plan for each part of a program that `runProgram` runs. */
function parts(
  program: string,
  main: string,
  names: readonly string[],
  moments: (part: string) => Moment[],
): readonly Plan[] {
  return names.map((part) => ({
    name: `${program} --only ${part}`,
    command: compiled(main, '--json', '--only', part),
    moments: moments(part),
  }));
}

const named = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

/** The programs of one kind: a part of `npm run interrupt`. */
export interface Kind {
  readonly name: string;
  /** @param etcd - the URL of one that runs. */
  plans(etcd: string): readonly Plan[];
}

export const kinds: readonly Kind[] = [
  { name: 'npm', plans: () => THROUGH_NPM },
  {
    name: 'demo',
    plans: () =>
      ['etcd', 'memory'].map((registry) => ({
        name: `demo --registry ${registry}`,
        command: compiled('examples/demo/main.js', '--json', '--registry', registry),
        moments: [
          ...at(...STARTING),
          ...[1, 2, 3, 4, 5, 6].flatMap((part) => after(`(${part})`, 0, 200, 700)),
        ],
      })),
  },
  {
    name: 'soak',
    plans: () => [
      { name: 'soak', command: compiled('bench/soak/main.js', '--json'), moments: at(...STARTING) },
      ...parts('soak', 'bench/soak/main.js', named(scenarios), (part) =>
        after(`${part}:`, 300, 1_500, 5_000),
      ),
      // A server is stopped every 2 s, and takes half a second until the next is started.
      {
        name: 'soak --only million, servers restarting',
        command: compiled('bench/soak/main.js', '--json', '--only', 'million'),
        moments: after(' of 1000000 calls', 2_000, 2_300, 2_500, 2_600, 2_700, 2_800, 2_900, 3_000, 3_200),
      },
    ],
  },
  {
    name: 'chaos',
    plans: () => [
      { name: 'chaos', command: compiled('bench/chaos/main.js', '--json'), moments: at(...STARTING) },
      ...parts('chaos', 'bench/chaos/main.js', named(faults), (part) => after(`${part}:`, 500, 2_500, 6_000)),
    ],
  },
  {
    name: 'bench',
    plans: () => [
      { name: 'bench', command: compiled('bench/main.js', '--json'), moments: at(...STARTING) },
      ...parts('bench', 'bench/main.js', named([...overheadParts, ...pickParts, ...memoryParts]), () =>
        at(600, 2_500),
      ),
      ...parts('bench:gateway', 'bench/gateway/main.js', named(gatewayParts), () => at(...STARTING, 3_000)),
      {
        name: 'bench:simulator',
        command: compiled('bench/simulator/main.js', '--json'),
        moments: at(...STARTING, 3_000),
      },
      {
        name: 'bench:policies',
        command: compiled('bench/policies/main.js', '--json'),
        moments: [...at(...STARTING), ...after(', live for', 0, 500, 2_000)],
      },
      {
        name: 'bench:plots',
        command: compiled('bench/plots/main.js', '--json', '--only', 'deploy'),
        moments: at(...STARTING, 2_000),
      },
      {
        name: 'simulate',
        command: compiled('src/cli/main.js', 'simulate', 'bench/scenarios/big-fleet.json', '--json'),
        moments: at(...STARTING, 2_000),
      },
    ],
  },
  {
    name: 'fuzz',
    plans: () => [
      {
        name: 'fuzz',
        command: compiled('bench/fuzz/main.js', '--json'),
        moments: at(...STARTING, 2_000, 4_000, 8_000),
      },
    ],
  },
  {
    name: 'servers',
    plans: (etcd) => {
      const nowhere = 'http://127.0.0.1:9';
      const descriptors = ['--reflect'];
      const main = (...args: string[]) => compiled('src/cli/main.js', ...args);
      return [etcd, nowhere].flatMap((reg): Plan[] => [
        {
          name: `server --reg ${reg}`,
          command: main('server', '--host', '127.0.0.1', '--port', '0', '--reg', reg),
          servesOnceItSaid: 'serving ',
          moments: [...at(...STARTING), ...after('serving ', 0, 100, 1_000)],
        },
        {
          name: `client --reg ${reg}`,
          command: main('client', '--reg', reg),
          moments: at(...STARTING, 2_000, 4_000),
        },
        {
          name: `gateway --reg ${reg}`,
          command: main('gateway', '--host', '127.0.0.1', '--port', '0', '--reg', reg, ...descriptors),
          servesOnceItSaid: 'serving ',
          moments: at(...STARTING, 2_000),
        },
      ]);
    },
  },
];
