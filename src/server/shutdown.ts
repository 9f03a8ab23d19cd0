import { constants } from 'node:os';
import { type Clock, systemClock } from '../base/clock.js';
import { BalancerError } from '../base/errors.js';
import { numberOption } from '../base/options.js';

/** How whatever serves comes to an end. */
export interface ShutdownOptions {
  /**
   * How long the server goes on serving after it was unregistered, so that the clients hear of it and pick it no
   * more, in milliseconds. Default 500.
   */
  readonly lameDuckMs?: number;
  /**
   * How long calls in flight may take to finish after that, in milliseconds; what is left is then cancelled. `Infinity`
   * waits for them all.
   * Default 25,000: with unregistering (3 s at most) and the lame-duck time, under the 30 s that Kubernetes gives.
   */
  readonly drainTimeoutMs?: number;
  /** The signals that close it. Default SIGTERM, SIGINT, SIGHUP and SIGQUIT; none with `[]`. */
  readonly signals?: readonly NodeJS.Signals[];
  /**
   * Ends the process with code 0 once a signal has closed the server, and at once, with code 128 + n, at a second
   * signal. For the one server of a process. Default false: then a second signal does what it does without evenkeel.
   */
  readonly exit?: boolean;
  readonly clock?: Clock;
}

/**
 * A second SIGINT so soon is an echo of the first, in milliseconds: at a Ctrl-C the terminal tells every process of the
 * group, and npm, which is one of them, tells its child once more.
 */
const ECHO_MS = 100;

export const SHUTDOWN_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'];

/** @throws BalancerError INVALID_OPTION */
export function checkedShutdown({
  lameDuckMs = 500,
  drainTimeoutMs = 25_000,
  clock = systemClock,
  signals = SHUTDOWN_SIGNALS,
}: ShutdownOptions): Required<Pick<ShutdownOptions, 'lameDuckMs' | 'drainTimeoutMs' | 'clock'>> {
  numberOption('lameDuckMs', lameDuckMs, { min: 0 });
  numberOption('drainTimeoutMs', drainTimeoutMs, { min: 0, max: Number.POSITIVE_INFINITY });
  if (!Array.isArray(signals) || !signals.every(canBeHeard)) {
    throw new BalancerError(
      'INVALID_OPTION',
      `signals is ${JSON.stringify(signals)}, and must be an array of names of signals that can be listened for, such as "SIGTERM"`,
    );
  }
  return { lameDuckMs, drainTimeoutMs, clock };
}

/** SIGKILL and SIGSTOP end or stop a process before it hears of them (signal(7)). */
function canBeHeard(signal: unknown): boolean {
  return (
    typeof signal === 'string' &&
    Object.hasOwn(constants.signals, signal) &&
    signal !== 'SIGKILL' &&
    signal !== 'SIGSTOP'
  );
}

/** Listens for the signals until what it returns is called. */
export function onSignals(
  { signals = SHUTDOWN_SIGNALS, exit = false }: ShutdownOptions,
  clock: Clock,
  close: () => Promise<void>,
): () => void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  const release = () => {
    for (const signal of signals) process.removeListener(signal, handle);
  };
  const handle = (signal: NodeJS.Signals) => {
    if (first === undefined) {
      first = { signal, at: clock.now() };
      void close().then(() => exit && process.exit(0));
      return;
    }
    if (signal === 'SIGINT' && first.signal === 'SIGINT' && clock.now() - first.at < ECHO_MS) return;
    if (exit) process.exit(128 + constants.signals[signal]);
    release();
    // With nobody left who listens for it, it does what it does by default.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  for (const signal of signals) process.on(signal, handle);
  return release;
}
