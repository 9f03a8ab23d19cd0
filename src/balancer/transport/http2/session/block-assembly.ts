import { ConnectionError, ErrorCode } from '../frames/protocol.js';

/** CONTINUATION frames that one block may have. */
const MOST_FRAMES = 64;

/** A block of fields that comes in several frames. Bounded in both: nobody has to send a block in crumbs. */
export class BlockAssembly {
  open = false;
  id = 0;
  /** The stream ends with it. */
  ends = false;
  #parts: Buffer[] = [];
  #length = 0;
  readonly #longest: number;

  /** @param maxHeaderListSize - of the fields decoded. Coded, they may be longer in theory, but hardly by this much. */
  constructor(maxHeaderListSize: number) {
    this.#longest = 2 * maxHeaderListSize;
  }

  begin(id: number, ends: boolean, bytes: Buffer, start: number, end: number): void {
    this.open = true;
    this.id = id;
    this.ends = ends;
    this.add(bytes, start, end);
  }

  add(bytes: Buffer, start: number, end: number): void {
    this.#length += end - start;
    if (this.#length > this.#longest || this.#parts.length > MOST_FRAMES) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'a block of fields that goes on and on');
    }
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
  }

  take(): Buffer {
    const block = Buffer.concat(this.#parts);
    this.open = false;
    this.#parts = [];
    this.#length = 0;
    return block;
  }
}
