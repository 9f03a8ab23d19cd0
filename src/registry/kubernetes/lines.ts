/** A watch event is one line of JSON. etcd holds no object above 1.5 MiB; as JSON it may be some times as long. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const FIRST_BYTES = 4 * 1024;

/** Cuts bytes into lines, wherever they were cut into chunks. What it holds grows with the line, not with its chunks. */
export class LineReader {
  #held = Buffer.alloc(0);
  #bytes = 0;

  /** True in the midst of a line. */
  get open(): boolean {
    return this.#bytes > 0;
  }

  /**
   * The lines that end in this chunk, without their ends. Empty ones are left out.
   *
   * @throws Error when a line is longer than any event may be.
   */
  *read(chunk: Uint8Array): Generator<string> {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#add(chunk.subarray(from, at));
      from = at + 1;
      const line = this.#held.toString('utf8', 0, this.#bytes).trim();
      this.#bytes = 0;
      if (this.#held.length > FIRST_BYTES) this.#held = Buffer.alloc(0);
      if (line !== '') yield line;
    }
    this.#add(chunk.subarray(from));
  }

  #add(part: Uint8Array): void {
    const bytes = this.#bytes + part.length;
    if (bytes > MAX_LINE_BYTES) throw new Error(`an event is longer than ${MAX_LINE_BYTES} bytes`);
    if (bytes > this.#held.length) {
      const held = Buffer.alloc(Math.max(FIRST_BYTES, 2 * this.#held.length, bytes));
      this.#held.copy(held, 0, 0, this.#bytes);
      this.#held = held;
    }
    this.#held.set(part, this.#bytes);
    this.#bytes = bytes;
  }
}
