import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import type { Part, Run } from '../support/program.js';
import { type Ratio, ratioOfMedians } from '../support/ratio.js';
import { median } from '../support/statistics.js';
import { Clients } from './clients.js';
import { measureHeap } from './heap-growth.js';
import { burst, REQUEST, rounds, type Sample } from './measure.js';
import type { Mode } from './modes.js';
import { withPool, withServers } from './with-pool.js';

const ROUNDS = 31;
const CALLS = 1_000;
const CONCURRENCIES = [1, 16, 64, 256] as const;
/** One at a time waits for the network more than it works: fewer calls measure as much. */
const CALLS_ALONE = 250;

const cpu = (samples: readonly Sample[]) => samples.map(({ cpuUs }) => cpuUs);
const rate = (samples: readonly Sample[]) => samples.map(({ rate }) => rate);
const shown = ({ ratio, low, high }: Ratio) => `${ratio.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;

const MODES = [
  'grpc-js',
  'grpc-js-4',
  'grpc-js-4-flags',
  'grpc-js-round-robin',
  'nice-grpc',
  'http2',
  'stub',
  'client',
  'channel+nice-grpc',
  'pick',
] as const;

/** Clients of the modes, each in a process of its own. */
async function withClients<M extends Mode>(
  modes: readonly M[],
  signal: AbortSignal,
  use: (run: Clients<M>['run']) => Promise<void>,
): Promise<void> {
  await withServers(signal, async (addresses) => {
    const clients = await Clients.start(modes, addresses, signal);
    try {
      await use((mode, order) => clients.run(mode, order));
    } finally {
      clients.close();
    }
  });
}

async function measureOverhead(run: Run): Promise<void> {
  await withClients(MODES, run.signal, async (client) => {
    const results: Record<string, unknown> = {};
    for (const concurrency of CONCURRENCIES) {
      run.say(`concurrency ${concurrency}: ${ROUNDS} rounds of ${MODES.length} modes`);
      const samples = await rounds(client, MODES, {
        rounds: ROUNDS,
        calls: concurrency === 1 ? CALLS_ALONE : CALLS,
        concurrency,
        signal: run.signal,
      });
      const base = samples['grpc-js-4'];
      const rows = MODES.map((mode) => {
        const cpuRatio = ratioOfMedians(cpu(samples[mode]), cpu(base));
        const rateRatio = ratioOfMedians(rate(samples[mode]), rate(base));
        return {
          mode,
          cpuUs: median(cpu(samples[mode])),
          rate: median(rate(samples[mode])),
          cpuRatio,
          rateRatio,
        };
      });
      results[concurrency] = rows;
      run.table(
        ['mode', 'CPU us/call', 'calls/s', 'CPU / grpc-js-4', 'calls/s / grpc-js-4'],
        rows.map((row) => [row.mode, row.cpuUs, row.rate, shown(row.cpuRatio), shown(row.rateRatio)]),
      );
      if (concurrency === 1) continue;
      const stub = ratioOfMedians(cpu(samples.stub), cpu(base));
      run.atMost(`stub-cpu/grpc-js-4/${concurrency}`, stub.ratio, 0.86, 'ratio');
      if (concurrency !== 64) continue;
      const faster = ratioOfMedians(rate(samples.stub), rate(samples['grpc-js-round-robin']));
      run.atLeast('stub-rate/grpc-js-round-robin', faster.ratio, 1.12, 'ratio');
      run.atMost('client-cpu/grpc-js-4', ratioOfMedians(cpu(samples.client), cpu(base)).ratio, 1.05, 'ratio');
      run.say(
        `distance to the floor: stub / http2 ${shown(ratioOfMedians(cpu(samples.stub), cpu(samples.http2)))}`,
      );
    }
    run.record('overhead', results);
  });
}

async function measureDeadlines(run: Run): Promise<void> {
  const modes = ['grpc-js-4 with deadline', 'stub with deadline'] as const;
  await withClients(modes, run.signal, async (client) => {
    const options = { rounds: 2 * ROUNDS, calls: CALLS, concurrency: 64, signal: run.signal };
    const samples = await rounds(client, modes, options);
    const ratio = ratioOfMedians(cpu(samples['stub with deadline']), cpu(samples['grpc-js-4 with deadline']));
    run.say(`with a deadline on every call, stub / grpc-js-4: ${shown(ratio)}`);
    run.atMost('stub-cpu/grpc-js-4/with-deadline', ratio.ratio, 0.9, 'ratio');
  });
}

/** 5,000 calls a second for some seconds, while the picker is swapped every 20 ms. */
async function swapUnderLoad(run: Run): Promise<void> {
  const CALLS_PER_TICK = 50;
  const TICKS = 600;
  const PICKERS = ['round-robin', 'least-pending', 'power-of-two', 'peak-ewma', 'random'] as const;
  await withPool(run.signal, async (pool) => {
    const stub = pool.stub(EchoService);
    await burst(() => stub.unary(REQUEST), CALLS, 64);
    let failed = 0;
    const call = () => stub.unary(REQUEST).catch(() => failed++);
    const made: Promise<unknown>[] = [];
    const began = performance.now();
    for (let tick = 0; tick < TICKS; tick++) {
      run.signal.throwIfAborted();
      if (tick % 2 === 0) pool.setPicker(PICKERS[(tick / 2) % PICKERS.length]!);
      made.push(burst(call, CALLS_PER_TICK, CALLS_PER_TICK));
      const due = began + (tick + 1) * 10;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
    await Promise.all(made);
    const perSecond = (TICKS * CALLS_PER_TICK * 1_000) / (performance.now() - began);
    run.say(`${TICKS * CALLS_PER_TICK} calls, ${Math.round(perSecond)} a second, ${TICKS / 2} swaps`);
    run.atMost('hot-swap/failed', failed, 0, 'calls');
    run.atMost('hot-swap/pending', pool.snapshot().pending, 0, 'calls');
  });
}

export const overheadParts: readonly Part[] = [
  {
    name: 'overhead',
    targets: [
      'stub-cpu/grpc-js-4/16',
      'stub-cpu/grpc-js-4/64',
      'stub-cpu/grpc-js-4/256',
      'stub-rate/grpc-js-round-robin',
      'client-cpu/grpc-js-4',
    ],
    run: measureOverhead,
  },
  { name: 'deadlines', targets: ['stub-cpu/grpc-js-4/with-deadline'], run: measureDeadlines },
  { name: 'hot-swap', targets: ['hot-swap/failed', 'hot-swap/pending'], run: swapUnderLoad },
  { name: 'heap', targets: ['heap/1,000,000-calls/100,000-calls'], run: measureHeap },
];
