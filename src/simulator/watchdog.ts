import { createContext, Script } from 'node:vm';
import { BalancerError } from '../base/errors.js';

/** A stretch of a run takes a fraction of a second; what is not done after this, in milliseconds, never will be. */
const PATIENCE_MS = 5_000;

/**
 * Runs what may not come to an end, as a picker of somebody's that loops: the engine stops it then, wherever it is
 * (`node:vm`'s timeout, a thread that watches). To run something costs about 0.2 ms.
 */
export class Watchdog {
  readonly #who: string;
  readonly #patienceMs: number;
  readonly #sandbox: { work: (() => unknown) | undefined } = { work: undefined };
  readonly #context = createContext(this.#sandbox);
  readonly #script = new Script('work()');

  /**
   * @param who - is told to have looped.
   * @param patienceMs - how long anything may take. Default 5,000.
   */
  constructor(who: string, patienceMs = PATIENCE_MS) {
    this.#who = who;
    this.#patienceMs = patienceMs;
  }

  /** @throws BalancerError PICKER_FAILED when the time is over, and what the work throws. */
  run<T>(work: () => T): T {
    this.#sandbox.work = work;
    try {
      return this.#script.runInContext(this.#context, { timeout: this.#patienceMs }) as T;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw thrown;
      const patience = `${this.#patienceMs / 1_000} s`;
      throw new BalancerError(
        'PICKER_FAILED',
        `${this.#who} does not come to an end: it was stopped after ${patience}; does it loop?`,
      );
    }
  }
}
