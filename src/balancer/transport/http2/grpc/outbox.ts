import { type Compression, compress } from './compression.js';

interface Waiting {
  readonly how: Compression;
  readonly bytes: Buffer;
  readonly written: (() => void) | undefined;
}

type Put = (bytes: Buffer, flag: number, written: (() => void) | undefined) => void;

/** Messages of a call that compresses, which takes time: they go out in the order in which they were sent. */
export class Outbox {
  readonly #waiting: Waiting[] = [];
  #busy = false;

  constructor(private readonly put: Put) {}

  get isEmpty(): boolean {
    return !this.#busy;
  }

  /** @param emptied - called when all that was pushed has been put. */
  push(how: Compression, bytes: Buffer, written: (() => void) | undefined, emptied: () => void): void {
    this.#waiting.push({ how, bytes, written });
    if (!this.#busy) this.#next(emptied);
  }

  #next(emptied: () => void): void {
    const next = this.#waiting.shift();
    this.#busy = next !== undefined;
    if (next === undefined) {
      emptied();
      return;
    }
    compress(next.how, next.bytes, (error, bytes) => {
      // What cannot be compressed goes as it is.
      const flag = error === null && next.how !== 'identity' ? 1 : 0;
      this.put(flag === 1 ? bytes : next.bytes, flag, next.written);
      this.#next(emptied);
    });
  }
}
