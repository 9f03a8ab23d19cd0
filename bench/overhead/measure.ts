import { performance } from 'node:perf_hooks';
import type { EchoRequest } from '../../generated/evenkeel/echo/v1/echo.js';
import type { Call } from './modes.js';

export const REQUEST: EchoRequest = {
  payload: Buffer.alloc(64, 1),
  delayMs: 0,
  code: 0,
  details: '',
  count: 0,
};

/** What a burst of calls took: CPU of this process in microseconds per call, and calls per second. */
export interface Sample {
  readonly cpuUs: number;
  readonly rate: number;
}

/** Makes `calls` calls, `concurrency` at a time. */
export async function burst(call: Call, calls: number, concurrency: number): Promise<Sample> {
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

/**
 * Rounds of bursts, every mode in each, in an order that moves on by one a round: what drifts on the machine meets all
 * modes alike.
 */
export async function rounds<M extends string>(
  calls: Readonly<Record<M, Call>>,
  modes: readonly M[],
  options: {
    readonly rounds: number;
    readonly calls: number;
    readonly concurrency: number;
    readonly signal: AbortSignal;
  },
): Promise<Record<M, Sample[]>> {
  const samples = Object.fromEntries(modes.map((mode) => [mode, [] as Sample[]])) as Record<M, Sample[]>;
  for (const mode of modes) await burst(calls[mode], options.calls, options.concurrency);
  for (let round = 0; round < options.rounds; round++) {
    for (let i = 0; i < modes.length; i++) {
      options.signal.throwIfAborted();
      const mode = modes[(round + i) % modes.length]!;
      samples[mode].push(await burst(calls[mode], options.calls, options.concurrency));
    }
  }
  return samples;
}
