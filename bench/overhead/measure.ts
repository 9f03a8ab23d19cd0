import { performance } from 'node:perf_hooks';
import type { EchoRequest } from '../../generated/evenkeel/echo/v1/echo.js';

export const REQUEST: EchoRequest = {
  payload: Buffer.alloc(64, 1),
  delayMs: 0,
  code: 0,
  details: '',
  count: 0,
};

/** Bursts until V8 has compiled what there is to compile. */
const WARM_UP_ROUNDS = 3;

/** What a burst of calls took: CPU of this process in microseconds per call, and calls per second. */
export interface Sample {
  readonly cpuUs: number;
  readonly rate: number;
}

/** Makes `calls` calls, `concurrency` at a time. */
export async function burst(
  call: (request: EchoRequest) => Promise<unknown>,
  calls: number,
  concurrency: number,
): Promise<Sample> {
  let left = calls;
  const worker = async () => {
    while (left-- > 0) await call(REQUEST);
  };
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpuUs: (user + system) / calls, rate: (calls / ms) * 1_000 };
}

/** What a client is told to do. */
export interface Order {
  readonly calls: number;
  readonly concurrency: number;
}

/**
 * Rounds of bursts, every mode in each, in an order that moves on by one a round: what drifts on the machine meets all
 * modes alike. The first bursts warm up and do not count.
 */
export async function rounds<M extends string>(
  run: (mode: M, order: Order) => Promise<Sample>,
  modes: readonly M[],
  options: Order & { readonly rounds: number; readonly signal: AbortSignal },
): Promise<Record<M, Sample[]>> {
  const samples = Object.fromEntries(modes.map((mode) => [mode, [] as Sample[]])) as Record<M, Sample[]>;
  for (let round = 0; round < WARM_UP_ROUNDS; round++) for (const mode of modes) await run(mode, options);
  for (let round = 0; round < options.rounds; round++) {
    for (let i = 0; i < modes.length; i++) {
      options.signal.throwIfAborted();
      const mode = modes[(round + i) % modes.length]!;
      samples[mode].push(await run(mode, options));
    }
  }
  return samples;
}
