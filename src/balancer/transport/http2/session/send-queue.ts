import { LinkedList } from '../../../../base/linked-list.js';
import type { Output } from '../frames/output.js';
import {
  ConnectionError,
  DEFAULT_MAX_FRAME_SIZE,
  DEFAULT_WINDOW,
  ErrorCode,
  Flag,
  FrameType,
  MAX_31_BITS,
} from '../frames/protocol.js';
import type { Patience } from './patience.js';
import { type Chunk, MESSAGE_PREFIX, type Stream } from './stream.js';

/** No more is put into the output than this, in bytes, as long as it has not been taken: what waits, waits in its stream. */
export const OUTPUT_MARK = 64 * 1_024;

/**
 * What streams have to send, within the windows of the peer. What fits is written at once; what does not waits in its
 * stream, and the streams that wait take turns, a frame each: a large message holds up no small one.
 */
export class SendQueue {
  /** What may be sent on the connection, in bytes. */
  window = DEFAULT_WINDOW;
  /** The window that a stream begins with, as the peer has it. */
  initialWindow = DEFAULT_WINDOW;
  /**
   * The largest payload of a frame. The peer may allow more; turns would become longer, and it would have to take in more
   * at once.
   */
  readonly #maxFrame = DEFAULT_MAX_FRAME_SIZE;
  /** Streams that have something to send, and whose own window lets them. */
  readonly #turns = new LinkedList<Stream>();

  constructor(
    private readonly output: Output,
    private readonly patience: Patience,
  ) {}

  /** Whether anything could be written now. */
  get ready(): boolean {
    return this.#turns.first !== undefined && this.window > 0;
  }

  /** Sends a message. */
  message(stream: Stream, bytes: Buffer, flag: number, written: (() => void) | undefined): void {
    const length = MESSAGE_PREFIX + bytes.length;
    if (
      stream.place === 'open' &&
      stream.firstChunk === undefined &&
      this.#turns.first === undefined &&
      length <= this.window &&
      length <= stream.sendWindow &&
      length <= this.#maxFrame &&
      this.output.length < OUTPUT_MARK
    ) {
      this.#frame(stream, bytes, flag, 0, length);
      if (written !== undefined) queueMicrotask(written);
      return;
    }
    stream.enqueue(bytes, flag, written);
    this.#takeTurns(stream);
  }

  /** Ends what the stream sends, after what is queued: on its last frame where that has not gone yet. */
  end(stream: Stream): void {
    stream.endAsked = true;
    if (stream.place !== 'open' || stream.firstChunk !== undefined || stream.sentEnd) return;
    stream.sentEnd = true;
    const { output } = this;
    if (stream.frameTake === output.takes) {
      const flags = stream.frameAt + 4;
      output.bytes[flags] = output.bytes[flags]! | Flag.END_STREAM;
    } else {
      output.frame(0, FrameType.DATA, Flag.END_STREAM, stream.id);
    }
  }

  /** The stream was opened: what it has queued meanwhile may go. */
  opened(stream: Stream): void {
    stream.sendWindow = this.initialWindow;
    const { first, firstChunk, firstFlag: flag, firstWritten: written } = stream;
    if (first !== undefined) {
      stream.first = undefined;
      if (firstChunk === undefined) this.message(stream, first, flag, written);
      else stream.firstChunk = { bytes: first, flag, done: 0, written, next: firstChunk };
    }
    if (stream.firstChunk !== undefined) this.#takeTurns(stream);
    else if (stream.endAsked) this.end(stream);
  }

  /** Drops what the stream has queued. */
  drop(stream: Stream): void {
    stream.first = undefined;
    stream.firstChunk = undefined;
    stream.lastChunk = undefined;
    if (stream.sending) this.#leave(stream);
  }

  /** The peer lets more be sent. False when that is more than a window can have. */
  grow(increment: number): boolean {
    this.window += increment;
    return this.window <= MAX_31_BITS;
  }

  growStream(stream: Stream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.firstChunk !== undefined) this.#takeTurns(stream);
    return stream.sendWindow <= MAX_31_BITS;
  }

  /**
   * The peer gives the windows of streams another size: also those that are open, which may fall below zero (RFC 9113,
   * section 6.9.2).
   */
  resize(initialWindow: number, open: Iterable<Stream>): void {
    const change = initialWindow - this.initialWindow;
    this.initialWindow = initialWindow;
    if (change === 0) return;
    for (const stream of open) {
      if (!this.growStream(stream, change))
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'INITIAL_WINDOW_SIZE overflows a window');
    }
  }

  /** Writes what the windows let, up to the mark: a frame of each stream in turn. */
  fill(): void {
    while (this.output.length < OUTPUT_MARK && this.window > 0) {
      const stream = this.#turns.first;
      if (stream === undefined) return;
      this.#leave(stream);
      // Its window may have become smaller since.
      if (stream.sendWindow <= 0) continue;
      const chunk = stream.firstChunk!;
      const left = MESSAGE_PREFIX + chunk.bytes.length - chunk.done;
      const length = Math.min(left, this.window, stream.sendWindow, this.#maxFrame);
      this.#frame(stream, chunk.bytes, chunk.flag, chunk.done, length);
      chunk.done += length;
      if (length === left) this.#chunkDone(stream, chunk);
      else this.#takeTurns(stream);
    }
  }

  #chunkDone(stream: Stream, chunk: Chunk): void {
    stream.firstChunk = chunk.next;
    if (chunk.written !== undefined) queueMicrotask(chunk.written);
    if (chunk.next !== undefined) {
      this.#takeTurns(stream);
      return;
    }
    stream.lastChunk = undefined;
    if (stream.endAsked) this.end(stream);
  }

  /** As the last in the row, when it is not there and its window lets it send. */
  #takeTurns(stream: Stream): void {
    if (stream.sending || stream.place !== 'open' || stream.sendWindow <= 0) return;
    stream.sending = true;
    this.#turns.push(stream);
  }

  #leave(stream: Stream): void {
    stream.sending = false;
    this.#turns.delete(stream);
  }

  /** A DATA frame with `length` bytes of prefix and message, from `from`. */
  #frame(stream: Stream, message: Buffer, flag: number, from: number, length: number): void {
    const { output } = this;
    stream.frameAt = output.length;
    stream.frameTake = output.takes;
    output.frame(length, FrameType.DATA, 0, stream.id);
    this.patience.useful();
    stream.sendWindow -= length;
    this.window -= length;
    const to = from + length;
    if (from === 0 && length >= MESSAGE_PREFIX) {
      output.byte(flag);
      output.uint32(message.length);
      output.raw(message, 0, length - MESSAGE_PREFIX);
      return;
    }
    let at = from;
    for (; at < Math.min(to, MESSAGE_PREFIX); at++) {
      output.byte(at === 0 ? flag : message.length >>> (8 * (MESSAGE_PREFIX - 1 - at)));
    }
    if (at < to) output.raw(message, at - MESSAGE_PREFIX, to - MESSAGE_PREFIX);
  }
}
