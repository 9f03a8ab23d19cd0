/** The size of a pooled buffer: several frames of the usual largest size. */
export const BUFFER_SIZE = 64 * 1_024;
/** How many free buffers are kept: as many as are in use at once in one turn of the event loop, usually. */
const MOST_FREE = 8;

/** Buffers for what is about to be written, shared by connections: one that has nothing to write holds none. */
export class BufferPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_SIZE);
  }

  /** Gives a buffer back of which nobody reads any more. One that outgrew the usual size is let go. */
  give(buffer: Buffer): void {
    if (buffer.length === BUFFER_SIZE && this.#free.length < MOST_FREE) this.#free.push(buffer);
  }
}
