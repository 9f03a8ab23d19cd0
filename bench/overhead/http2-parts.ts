import type { Part, Run } from '../support/program.js';
import { type Ratio, ratioOfMedians } from '../support/ratio.js';
import { median } from '../support/statistics.js';
import { Clients } from './clients.js';
import { rounds, type Sample } from './measure.js';
import type { Mode } from './modes.js';
import { withServers } from './with-pool.js';

const ROUNDS = 31;
const CALLS = 1_000;

/** What a call by a stub may take, in CPU of four bare grpc-js clients, by how many there are at a time. */
const STUB_LIMITS = { 16: 0.15, 64: 0.1, 256: 0.08 } as const;

const MODES = [
  'grpc-js-4',
  'grpc-js-round-robin',
  'http2',
  'stub',
  'stub+http2',
  'client+http2',
  'channel+nice-grpc+http2',
] as const;

const cpu = (samples: readonly Sample[]) => samples.map(({ cpuUs }) => cpuUs);
const rate = (samples: readonly Sample[]) => samples.map(({ rate }) => rate);
const shown = ({ ratio, low, high }: Ratio) => `${ratio.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;

async function inRounds<M extends Mode>(
  modes: readonly M[],
  concurrencies: readonly number[],
  run: Run,
  each: (concurrency: number, samples: Record<M, Sample[]>) => void,
): Promise<void> {
  await withServers(run.signal, async (addresses) => {
    const clients = await Clients.start(modes, addresses, run.signal);
    try {
      for (const concurrency of concurrencies) {
        run.progress(`${ROUNDS} rounds of ${modes.length} modes, ${concurrency} calls at a time`);
        const options = { rounds: ROUNDS, calls: CALLS, concurrency, signal: run.signal };
        each(concurrency, await rounds((mode, order) => clients.run(mode, order), modes, options));
      }
    } finally {
      clients.close();
    }
  });
}

async function measureHttp2(run: Run): Promise<void> {
  const results: Record<string, unknown> = {};
  await inRounds(MODES, Object.keys(STUB_LIMITS).map(Number), run, (concurrency, samples) => {
    const base = samples['grpc-js-4'];
    const rows = MODES.map((mode) => ({
      mode,
      cpuUs: median(cpu(samples[mode])),
      rate: median(rate(samples[mode])),
      cpuRatio: ratioOfMedians(cpu(samples[mode]), cpu(base)),
    }));
    results[concurrency] = rows;
    run.table(
      ['mode', 'CPU us/call', 'calls/s', 'CPU / grpc-js-4'],
      rows.map((row) => [row.mode, row.cpuUs, row.rate, shown(row.cpuRatio)]),
    );
    const { ratio } = ratioOfMedians(cpu(samples['stub+http2']), cpu(base));
    const limit = STUB_LIMITS[concurrency as keyof typeof STUB_LIMITS];
    run.atMost(`stub+http2-cpu/grpc-js-4/${concurrency}`, ratio, limit, 'ratio');
    if (concurrency !== 64) return;
    const faster = ratioOfMedians(rate(samples['stub+http2']), rate(samples['grpc-js-round-robin']));
    run.atLeast('stub+http2-rate/grpc-js-round-robin', faster.ratio, 2.5, 'ratio');
    const client = ratioOfMedians(cpu(samples['client+http2']), cpu(base));
    run.atMost('client+http2-cpu/grpc-js-4', client.ratio, 0.45, 'ratio');
  });
  run.record('http2', results);
}

async function measureDeadlines(run: Run): Promise<void> {
  const modes = ['grpc-js-4 with deadline', 'stub+http2 with deadline'] as const;
  await inRounds(modes, [64], run, (_, samples) => {
    const ours = cpu(samples['stub+http2 with deadline']);
    const ratio = ratioOfMedians(ours, cpu(samples['grpc-js-4 with deadline']));
    run.say(`with a deadline on every call, stub+http2 / grpc-js-4: ${shown(ratio)}`);
    run.atMost('stub+http2-cpu/grpc-js-4/with-deadline', ratio.ratio, 0.14, 'ratio');
  });
}

export const http2Parts: readonly Part[] = [
  {
    name: 'http2',
    targets: [
      ...Object.keys(STUB_LIMITS).map((concurrency) => `stub+http2-cpu/grpc-js-4/${concurrency}`),
      'stub+http2-rate/grpc-js-round-robin',
      'client+http2-cpu/grpc-js-4',
    ],
    run: measureHttp2,
  },
  { name: 'http2-deadlines', targets: ['stub+http2-cpu/grpc-js-4/with-deadline'], run: measureDeadlines },
];
