import type { BufferPool } from './buffer-pool.js';
import { ErrorCode, Flag, FRAME_HEADER, FrameType } from './protocol.js';

const NONE = Buffer.alloc(0);

/** What was written since it was last taken. */
export interface Written {
  readonly buffer: Buffer;
  readonly length: number;
}

/**
 * What goes out next, in one buffer: each frame is written here once, and the whole is handed to the socket once a turn. It
 * takes a buffer of the pool when there is something to write, and passes it on with {@link take}.
 */
export class Output {
  bytes: Buffer = NONE;
  length = 0;
  /** How often it was taken: an offset into it means something only while this stays the same. */
  takes = 0;

  constructor(private readonly pool: BufferPool) {}

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const before = this.bytes;
    if (before === NONE) this.bytes = this.pool.take();
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    if (this.bytes !== NONE) this.pool.give(this.bytes);
    this.bytes = larger;
  }

  /** What was written, which is the taker's from now on. */
  take(): Written {
    const taken = { buffer: this.bytes, length: this.length };
    this.bytes = NONE;
    this.length = 0;
    this.takes++;
    return taken;
  }

  /** The header of a frame, after which its payload is to be written. */
  frame(length: number, type: number, flags: number, stream: number): void {
    this.reserve(FRAME_HEADER + length);
    this.patch(this.length, length, type, flags, stream);
    this.length += FRAME_HEADER;
  }

  /** The header of a frame at a place that was kept for it. */
  patch(at: number, length: number, type: number, flags: number, stream: number): void {
    const { bytes } = this;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = stream >>> 24;
    bytes[at + 6] = stream >>> 16;
    bytes[at + 7] = stream >>> 8;
    bytes[at + 8] = stream;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  uint16(value: number): void {
    this.reserve(2);
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  uint32(value: number): void {
    this.reserve(4);
    this.bytes[this.length++] = value >>> 24;
    this.bytes[this.length++] = value >>> 16;
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  raw(source: Uint8Array, start = 0, end = source.length): void {
    this.reserve(end - start);
    this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length);
    this.length += end - start;
  }

  /** Text of one byte a character. */
  latin1(text: string): void {
    this.reserve(text.length);
    this.length += this.bytes.write(text, this.length, 'latin1');
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    this.frame(values.length * 6, FrameType.SETTINGS, 0, 0);
    for (const [id, value] of values) {
      this.uint16(id);
      this.uint32(value);
    }
  }

  settingsAck(): void {
    this.frame(0, FrameType.SETTINGS, Flag.ACK, 0);
  }

  /** @param data - eight bytes. */
  ping(data: Uint8Array, ack: boolean): void {
    this.frame(8, FrameType.PING, ack ? Flag.ACK : 0, 0);
    this.raw(data);
  }

  windowUpdate(stream: number, increment: number): void {
    this.frame(4, FrameType.WINDOW_UPDATE, 0, stream);
    this.uint32(increment);
  }

  reset(stream: number, code: number): void {
    this.frame(4, FrameType.RST_STREAM, 0, stream);
    this.uint32(code);
  }

  goAway(code: number, why: string): void {
    const debug = code === ErrorCode.NO_ERROR ? '' : why;
    this.frame(8 + debug.length, FrameType.GOAWAY, 0, 0);
    // Nothing of the server's is a stream here: it may not push.
    this.uint32(0);
    this.uint32(code);
    this.latin1(debug);
  }
}
