import { setMaxListeners } from 'node:events';

/**
 * What is to be ended with a scenario, and whether that has ended: what is begun by then ends at once, so that nothing
 * that was still starting outlives it.
 */
export class Cleanups implements AsyncDisposable {
  /** Aborts when the program is interrupted, and when the scenario ends in any other way. */
  readonly signal: AbortSignal;
  readonly #interrupted: AbortSignal;
  readonly #ended = new AbortController();
  readonly #cleanups = new Set<() => unknown>();

  constructor(interrupted: AbortSignal) {
    this.#interrupted = interrupted;
    this.signal = this.#ended.signal;
    setMaxListeners(0, interrupted, this.signal);
    const end = () => this.#ended.abort(interrupted.reason);
    if (interrupted.aborted) end();
    interrupted.addEventListener('abort', end, { once: true });
    this.add(() => interrupted.removeEventListener('abort', end));
  }

  /** Runs when the scenario is over, the last one first; at once when it is. */
  add(cleanup: () => unknown): void {
    this.#cleanups.add(cleanup);
    if (this.signal.aborted) void this[Symbol.asyncDispose]().catch(() => {});
  }

  /** It has happened by itself. */
  delete(cleanup: () => unknown): void {
    this.#cleanups.delete(cleanup);
  }

  /** Runs all, whatever becomes of any; rejects with the first failure. Interrupted, all at once: that is quicker. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new Error('the scenario is over'));
    const cleanups = [...this.#cleanups].reverse();
    this.#cleanups.clear();
    const failures: unknown[] = [];
    const run = async (cleanup: () => unknown) => {
      try {
        await cleanup();
      } catch (thrown) {
        failures.push(thrown);
      }
    };
    if (this.#interrupted.aborted) await Promise.all(cleanups.map(run));
    else for (const cleanup of cleanups) await run(cleanup);
    if (failures.length > 0) throw failures[0];
  }
}
