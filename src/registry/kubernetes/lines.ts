/** A watch event is one line of JSON. etcd holds no object above 1.5 MiB; as JSON it may be some times as long. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** Cuts bytes into lines, wherever they were cut into chunks. */
export class LineReader {
  #parts: Uint8Array[] = [];
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
      const line = Buffer.concat(this.#parts).toString('utf8').trim();
      this.#parts = [];
      this.#bytes = 0;
      if (line !== '') yield line;
    }
    // A copy: a chunk may be a part of a buffer that is used again.
    if (from < chunk.length) this.#add(Uint8Array.from(chunk.subarray(from)));
  }

  #add(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > MAX_LINE_BYTES) throw new Error(`an event is longer than ${MAX_LINE_BYTES} bytes`);
    if (part.length > 0) this.#parts.push(part);
  }
}
