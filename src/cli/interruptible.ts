import { constants } from 'node:os';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** How long a program may clean up once it was interrupted, in milliseconds. What is left then is ended with it. */
const GRACE_MS = 3_000;

/** How long what it left over may keep the process once it has cleaned up, in milliseconds. */
const LEFT_OVER_MS = 100;

/**
 * A second SIGINT so soon is an echo of the first, in milliseconds: at a Ctrl-C the terminal tells every process of the
 * group, and npm, which is one of them, tells its child once more.
 */
const ECHO_MS = 100;

/** Why a program was told to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
  }

  /** 128 + the number of the signal, as a shell says it. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

/**
 * Runs a program that ends when it is told to: the first SIGINT, SIGTERM or SIGHUP aborts the signal, for the program
 * to clean up and to return or throw. A program that has not ended 3 s later is ended where it is, as it is at a second
 * signal: by `process.exit`, at which child processes and temporary files that must not outlive it are to be removed.
 *
 * @returns the exit code: what `run` returns, or 128 + n when it was interrupted, whatever it then returned or threw.
 * @throws what `run` throws, uninterrupted.
 */
export async function interruptible(run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  let first: { readonly why: Interrupted; readonly at: number; readonly timer: NodeJS.Timeout } | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    const at = performance.now();
    const why = new Interrupted(signal);
    if (first === undefined) {
      first = { why, at, timer: setTimeout(() => process.exit(why.exitCode), GRACE_MS) };
      // Whatever was under way may fail now, where nobody waits for it any more, and is no reason to end otherwise.
      process.on('unhandledRejection', () => {}).on('uncaughtException', () => {});
      stop.abort(why);
      return;
    }
    const isEcho = signal === 'SIGINT' && first.why.signal === 'SIGINT' && at - first.at < ECHO_MS;
    if (!isEcho) process.exit(why.exitCode);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const code = await run(stop.signal);
    return first?.why.exitCode ?? code;
  } catch (thrown) {
    if (first === undefined) throw thrown;
    return first.why.exitCode;
  } finally {
    // Interrupted, it goes on to listen: whatever keeps the process alive now was left over, and ends with it.
    if (first !== undefined) {
      const { timer, why } = first;
      clearTimeout(timer);
      setTimeout(() => process.exit(why.exitCode), LEFT_OVER_MS).unref();
    } else for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

/**
 * Does work that gives way to no event until it is done: meanwhile the signals end the process at once, as if nobody
 * listened for them, and not when there is time to hear of them.
 *
 * @throws the signal's reason when it aborts before the work begins.
 */
export async function undisturbed<T>(work: () => T, signal: AbortSignal): Promise<T> {
  // What has come by now is heard first. One turn of the loop may be over but for its end, the next one asks the system.
  for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
  const heard = SIGNALS.map((name) => [name, process.listeners(name)] as const);
  for (const name of SIGNALS) process.removeAllListeners(name);
  try {
    return work();
  } finally {
    for (const [name, listeners] of heard) for (const listener of listeners) process.on(name, listener);
  }
}
