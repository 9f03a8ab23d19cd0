import pRetry from 'p-retry';
import { type Clock, sleep } from './clock.js';
import { asError } from './errors.js';
import type { Random } from './random.js';

/** How long to wait between attempts: exponential, with full jitter (AWS, "Exponential backoff and jitter", 2015). */
export interface Backoff {
  /** The most that is waited after the first failure, in milliseconds. */
  readonly baseMs: number;
  /** The most that is ever waited, in milliseconds. */
  readonly maxMs: number;
}

export interface UntilAbortedOptions extends Backoff {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Hears of every failed attempt, before the wait. */
  readonly onFailure?: (error: Error, attempt: number) => void;
}

/** p-retry without timers of its own: for ever, and at once. */
const NO_WAITING = { retries: Number.POSITIVE_INFINITY, minTimeout: 0, maxTimeout: 0, factor: 1 };

/** The wait after the nth failure (n >= 1): uniform in [0, min(maxMs, baseMs x 2^(n - 1))]. */
export function backoffMs({ baseMs, maxMs }: Backoff, failures: number, random: Random): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return random(Math.floor(ceiling) + 1);
}

/**
 * Runs `attempt` until it succeeds or the signal aborts; then rejects with the signal's reason.
 *
 * p-retry does the retrying. Two things of its own are switched off: its timers (the wait is ours, on the clock that
 * was given), and its giving up on a TypeError, which an etcd client throws for network faults too.
 */
export async function retryUntilAborted<T>(
  attempt: () => Promise<T>,
  options: UntilAbortedOptions,
): Promise<T> {
  const { clock, random, signal, onFailure } = options;
  return pRetry(
    async () => {
      try {
        return await attempt();
      } catch (thrown) {
        throw thrown instanceof TypeError ? new Error(thrown.message, { cause: thrown }) : asError(thrown);
      }
    },
    {
      ...NO_WAITING,
      signal,
      async onFailedAttempt({ error, attemptNumber }) {
        if (signal.aborted) return;
        onFailure?.(error, attemptNumber);
        await sleep(clock, backoffMs(options, attemptNumber, random), signal);
      },
    },
  );
}
