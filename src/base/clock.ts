/**
 * Where time comes from. Everything that waits or measures takes a `Clock`, so that tests and simulations
 * can run it in virtual time; this file alone touches the platform's clocks and timers.
 */
export interface Clock {
  /** Monotonic time in milliseconds, with a fraction. Only differences mean anything. */
  now(): number;
  /** Milliseconds since the Unix epoch: for gRPC deadlines, which are wall times, and for nothing else. */
  epochNow(): number;
  /**
   * Runs `run` once, at least `ms` milliseconds from now, and returns what takes it back. `Infinity` never runs;
   * delays longer than a timer can hold (2^31 - 1 ms) are waited for in stages.
   *
   * @param background - nothing waits for it: it does not keep the process alive. Default false.
   */
  after(ms: number, run: () => void, background?: boolean): () => void;
}

/** The longest delay that `setTimeout` takes; it turns anything above into 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The platform's clocks. Its timers keep the process alive until they run or are taken back, but for those in the background. */
export const systemClock: Clock = {
  now: () => performance.now(),
  epochNow: () => Date.now(),
  after(ms, run, background = false) {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    let timer: NodeJS.Timeout;
    const arm = (left: number) => {
      timer =
        left > LONGEST_TIMER_MS
          ? setTimeout(arm, LONGEST_TIMER_MS, left - LONGEST_TIMER_MS)
          : setTimeout(run, Math.max(0, left));
      if (background) timer.unref();
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};

/** The clock, with all its timers in the background: for what goes on beside the calls, and is waited for by nobody. */
export function inBackground(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    epochNow: () => clock.epochNow(),
    after: (ms, run) => clock.after(ms, run, true),
  };
}

/**
 * What is waited for without a limit of time: as many milliseconds as a number holds, which keep the process alive, and
 * never pass.
 */
export const FOR_EVER_MS = Number.MAX_SAFE_INTEGER;

/**
 * Waits on `clock`. Resolves early, without an error, when `signal` aborts: the caller looks at the signal.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done);
  });
}
