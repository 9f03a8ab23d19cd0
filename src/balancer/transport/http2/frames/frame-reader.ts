import { ConnectionError, ErrorCode, FRAME_HEADER } from './protocol.js';

/** Hears of whole frames. The payload is `bytes` from `start` to `end`, and is only there until it returns. */
export interface FrameHandler {
  frame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
}

/**
 * Cuts what comes in, in whatever chunks, into frames. A frame that is in one chunk is handed on where it lies; of one that
 * is not, what has come is kept.
 */
export class FrameReader {
  /** A frame that has not come whole: header and payload, of which `#have` bytes are there. */
  #partial: Buffer | undefined;
  #have = 0;
  /** The length of that frame with its header; 0 while the header itself is not whole. */
  #length = 0;

  constructor(
    private readonly handler: FrameHandler,
    private readonly maxFrameSize: number,
  ) {}

  /** Bytes that it keeps of a frame. */
  get kept(): number {
    return this.#partial === undefined ? 0 : this.#partial.length;
  }

  /** @throws {@link ConnectionError} FRAME_SIZE_ERROR, and what the handler throws; nothing more may be read then. */
  read(bytes: Buffer, start: number, end: number): void {
    let at = this.#partial === undefined ? start : this.#complete(bytes, start, end);
    while (end - at >= FRAME_HEADER) {
      const payload = at + FRAME_HEADER;
      const length = this.#lengthAt(bytes, at);
      if (end - payload < length) break;
      this.#hand(bytes, at, payload + length);
      at = payload + length;
    }
    if (at < end) this.#keep(bytes, at, end);
  }

  /** Adds to the frame that is kept, and hands it on when it is whole. Returns where the next begins. */
  #complete(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#length === 0) {
      at += this.#add(bytes, at, Math.min(end, at + FRAME_HEADER - this.#have));
      if (this.#have < FRAME_HEADER) return at;
      this.#expect(FRAME_HEADER + this.#lengthAt(this.#partial!, 0));
    }
    at += this.#add(bytes, at, Math.min(end, at + this.#length - this.#have));
    if (this.#have < this.#length) return at;
    const frame = this.#partial!;
    const length = this.#length;
    this.#partial = undefined;
    this.#hand(frame, 0, length);
    return at;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const whole = end - start >= FRAME_HEADER;
    // Not from Node's pool, of which the rest would be kept as long.
    this.#partial = Buffer.allocUnsafeSlow(FRAME_HEADER);
    this.#have = 0;
    this.#length = 0;
    if (whole) this.#expect(FRAME_HEADER + this.#lengthAt(bytes, start));
    this.#add(bytes, start, end);
  }

  /** A frame of this length is coming. */
  #expect(length: number): void {
    const larger = Buffer.allocUnsafeSlow(length);
    larger.set(this.#partial!.subarray(0, this.#have));
    this.#partial = larger;
    this.#length = length;
  }

  #add(bytes: Buffer, start: number, end: number): number {
    this.#partial!.set(bytes.subarray(start, end), this.#have);
    this.#have += end - start;
    return end - start;
  }

  #hand(bytes: Buffer, at: number, end: number): void {
    const id =
      (bytes[at + 5]! & 0x7f) * 0x1000000 + ((bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!);
    this.handler.frame(bytes[at + 3]!, bytes[at + 4]!, id, bytes, at + FRAME_HEADER, end);
  }

  /** RFC 9113, section 4.2. A stream error would do for some types; whoever sends one such frame cannot be followed. */
  #lengthAt(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (length > this.maxFrameSize) {
      throw new ConnectionError(
        ErrorCode.FRAME_SIZE_ERROR,
        `a frame of ${length} bytes, and ${this.maxFrameSize} are allowed`,
      );
    }
    return length;
  }
}
