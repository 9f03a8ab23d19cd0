import type { Clock } from '../../base/clock.js';

/** What stands for the connectivity of a pool: the best state that any subchannel of it has. */
export type PoolConnectivity = 'ready' | 'connecting' | 'failed' | 'shutdown';

/**
 * The connectivity of a pool as something to wait for: under `pool.ready()`, and under the channels of a pool, whose
 * watches it is. It is asked for, never kept: whoever owns it says when it may have changed.
 *
 * ```ts
 * const connectivity = new Connectivity(clock, () => 'connecting');       // owned by the pool's host
 * connectivity.changed();                                                  // after everything that may change it
 * connectivity.until((state) => state === 'ready', 500, (reached) => {});  // by whoever waits
 * ```
 */
export class Connectivity {
  readonly #watches = new Set<() => void>();

  constructor(
    private readonly clock: Clock,
    private readonly read: () => PoolConnectivity,
  ) {}

  get state(): PoolConnectivity {
    return this.read();
  }

  /** It may be another now. Cheap while nobody waits. */
  changed(): void {
    if (this.#watches.size === 0) return;
    for (const check of [...this.#watches]) check();
  }

  /**
   * Calls `done` once: with true as soon as the state is one that is wanted, which may be at once, or with false when
   * `timeoutMs` have passed. Returns what takes that back.
   */
  until(
    wanted: (state: PoolConnectivity) => boolean,
    timeoutMs: number,
    done: (reached: boolean) => void,
  ): () => void {
    let cancelTimer = () => {};
    const stop = () => {
      cancelTimer();
      this.#watches.delete(check);
    };
    const check = () => {
      if (!wanted(this.read())) return;
      stop();
      done(true);
    };
    this.#watches.add(check);
    cancelTimer = this.clock.after(timeoutMs, () => {
      stop();
      done(false);
    });
    check();
    return stop;
  }
}
