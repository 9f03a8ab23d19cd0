/**
 * Tells what happens to any number of readers, each at its own pace. A reader that is slower than the events loses the
 * oldest ones past its bound, and is told how many.
 */
export class Broadcast<T> {
  readonly #readers = new Set<Reader<T>>();
  #closed = false;

  /**
   * @param bound - most events kept for a reader.
   * @param lagged - the event that says how many were left out.
   */
  constructor(
    private readonly bound: number,
    private readonly lagged: (missed: number) => T,
  ) {}

  /** Whether anybody reads: an event that nobody reads need not be built. */
  get active(): boolean {
    return this.#readers.size > 0;
  }

  publish(event: T): void {
    for (const reader of this.#readers) reader.push(event, this.bound);
  }

  /** Ends every reader, after what it still has to read. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.end();
  }

  /** Events from now on, until closed, left or aborted. It reads from this call on, not from the first `next()`. */
  subscribe(signal?: AbortSignal): AsyncIterableIterator<T> {
    const reader = new Reader<T>(this.lagged, () => {
      this.#readers.delete(reader);
      signal?.removeEventListener('abort', leave);
    });
    const leave = () => {
      void reader.return();
    };
    this.#readers.add(reader);
    signal?.addEventListener('abort', leave);
    if (this.#closed) reader.end();
    if (signal?.aborted) leave();
    return reader;
  }
}

class Reader<T> implements AsyncIterableIterator<T> {
  #events: T[] = [];
  #missed = 0;
  #ended = false;
  #waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];

  constructor(
    private readonly lagged: (missed: number) => T,
    private readonly left: () => void,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(event: T, bound: number): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting({ done: false, value: event });
      return;
    }
    if (this.#events.length >= bound) {
      this.#events = [];
      this.#missed += bound;
    }
    this.#events.push(event);
  }

  end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
    this.left();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#missed > 0) {
      const value = this.lagged(this.#missed);
      this.#missed = 0;
      return Promise.resolve({ done: false, value });
    }
    if (this.#events.length > 0) return Promise.resolve({ done: false, value: this.#events.shift()! });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#events = [];
    this.#missed = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }
}
