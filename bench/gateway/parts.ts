import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../test/support/children.js';
import type { Part, Run } from '../support/program.js';
import { type Ratio, ratioOfMedians } from '../support/ratio.js';
import { median } from '../support/statistics.js';
import { Load } from './load.js';

const CONNECTIONS = 64;
const ROUNDS = 15;
const REQUESTS = 3_000;
const WARM_UP = 5_000;

const FRONTS = ['bare', 'gateway'] as const;
type Front = (typeof FRONTS)[number];

/** One round of one front. */
interface Sample {
  readonly rate: number;
  /** Of the front's process, in microseconds per request. */
  readonly cpuUs: number;
}

async function measure(run: Run): Promise<void> {
  const children: ChildProcess[] = [];
  const start = async (name: string, ...args: string[]): Promise<[ChildProcess, number]> => {
    const path = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    const child = endWithUs(
      fork(path, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], signal: run.signal }),
    );
    child.on('error', () => {});
    children.push(child);
    const [port] = (await once(child, 'message', { signal: run.signal })) as [number];
    return [child, port];
  };
  try {
    const [, backend] = await start('backend');
    const samples: Record<Front, Sample[]> = { bare: [], gateway: [] };
    const fronts = {} as Record<Front, { child: ChildProcess; load: Load }>;
    for (const front of FRONTS) {
      const [child, port] = await start('front', front, `127.0.0.1:${backend}`);
      fronts[front] = { child, load: await Load.open(port, CONNECTIONS) };
      await fronts[front].load.send(WARM_UP);
    }
    for (let round = 0; round < ROUNDS; round++) {
      run.progress(`round ${round + 1} of ${ROUNDS}`);
      for (let i = 0; i < FRONTS.length; i++) {
        run.signal.throwIfAborted();
        // The one that goes first is another one each round.
        const front = FRONTS[(round + i) % FRONTS.length]!;
        samples[front].push(await sample(fronts[front].child, fronts[front].load));
      }
    }
    for (const { load } of Object.values(fronts)) load.close();
    report(run, samples);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

async function sample(child: ChildProcess, load: Load): Promise<Sample> {
  const before = await cpuOf(child);
  const rate = await load.send(REQUESTS);
  return { rate, cpuUs: ((await cpuOf(child)) - before) / REQUESTS };
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu');
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
  return user + system;
}

function report(run: Run, samples: Readonly<Record<Front, readonly Sample[]>>): void {
  const of = (front: Front, what: keyof Sample) => samples[front].map((each) => each[what]);
  const rate = ratioOfMedians(of('gateway', 'rate'), of('bare', 'rate'));
  const cpu = ratioOfMedians(of('gateway', 'cpuUs'), of('bare', 'cpuUs'));
  const load = loadavg()[0]!;
  run.say(
    `${CONNECTIONS} connections, medians of ${ROUNDS} rounds of ${REQUESTS}; load of the machine ${load.toFixed(1)}`,
  );
  run.table(
    ['front', 'requests/s', 'CPU us/request', 'requests/s / bare', 'CPU / bare'],
    FRONTS.map((front) => [
      front,
      median(of(front, 'rate')),
      median(of(front, 'cpuUs')),
      front === 'bare' ? '1' : shown(rate),
      front === 'bare' ? '1' : shown(cpu),
    ]),
  );
  run.record('gateway', { samples, rate, cpu, load });
  run.atLeast('gateway-rate/bare-fastify', rate.ratio, 0.8, 'ratio');
  run.atMost('gateway-cpu/bare-fastify', cpu.ratio, 1.25, 'ratio');
}

function shown({ ratio, low, high }: Ratio): string {
  return `${ratio.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

export const gatewayParts: readonly Part[] = [
  { name: 'gateway', targets: ['gateway-rate/bare-fastify', 'gateway-cpu/bare-fastify'], run: measure },
];
