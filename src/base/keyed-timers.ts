import type { Clock } from './clock.js';

/** One timer for each key, at the most: to set it anew takes back what was set before. */
export class KeyedTimers<K> {
  readonly #cancel = new Map<K, () => void>();

  /** @param fired - hears of the key when its time has come; it may set the timer again. */
  constructor(
    private readonly clock: Clock,
    private readonly fired: (key: K) => void,
  ) {}

  /** Fires in `ms` milliseconds; never, without. */
  set(key: K, ms: number | undefined): void {
    this.#cancel.get(key)?.();
    if (ms === undefined) {
      this.#cancel.delete(key);
      return;
    }
    const cancel = this.clock.after(ms, () => {
      this.#cancel.delete(key);
      this.fired(key);
    });
    this.#cancel.set(key, cancel);
  }
}
