import { FrameReader } from '../frames/frame-reader.js';
import {
  ConnectionError,
  DEFAULT_MAX_FRAME_SIZE,
  ErrorCode,
  Flag,
  FrameType,
  violation,
} from '../frames/protocol.js';
import type { BlockCache } from '../hpack/block-cache.js';
import { HpackError } from '../hpack/decoder.js';
import { Responses } from './responses.js';
import type { Session } from './session.js';

/** Takes in the server's frames: each is checked by the rules of RFC 9113, section 6, and means something to the session. */
export class Receiver {
  readonly #reader = new FrameReader(this, DEFAULT_MAX_FRAME_SIZE);
  readonly #responses: Responses;
  #anyFrame = false;
  #acknowledged = false;
  #lastOfGoAway = Number.POSITIVE_INFINITY;

  constructor(
    private readonly session: Session,
    cache: BlockCache,
    maxHeaderListSize: number,
  ) {
    this.#responses = new Responses(session, cache, maxHeaderListSize);
  }

  /** @throws what ends the connection. */
  read(bytes: Buffer, start: number, end: number): void {
    this.#reader.read(bytes, start, end);
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.session.isOver) return;
    if (!this.#anyFrame) this.#first(type, flags);
    const block = this.#responses.blockOf;
    if (block !== 0 && (type !== FrameType.CONTINUATION || id !== block))
      throw violation('another frame within a block of fields');
    switch (type) {
      case FrameType.DATA:
        this.#responses.data(flags, id, bytes, start, end);
        break;
      case FrameType.HEADERS:
        this.#responses.headers(flags, id, bytes, start, end);
        break;
      case FrameType.CONTINUATION:
        this.#responses.continuation(flags, bytes, start, end);
        break;
      case FrameType.RST_STREAM:
        this.#reset(id, bytes, start, end);
        break;
      case FrameType.SETTINGS:
        this.#settings(flags, id, bytes, start, end);
        break;
      case FrameType.PING:
        this.#ping(flags, id, bytes, start, end);
        break;
      case FrameType.GOAWAY:
        this.#goAway(id, bytes, start, end);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(id, bytes, start, end);
        break;
      case FrameType.PUSH_PROMISE:
        throw violation('PUSH_PROMISE, and push is off');
      case FrameType.PRIORITY:
        this.#priority(id, end - start);
        break;
      default:
        // RFC 9113, section 4.1: what is not known is ignored.
        this.session.patience.useless('unknown frames');
    }
  }

  /** A server begins with SETTINGS (RFC 9113, section 3.4). */
  #first(type: number, flags: number): void {
    this.#anyFrame = true;
    if (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)
      throw violation('the first frame is not SETTINGS');
  }

  #reset(id: number, bytes: Buffer, start: number, end: number): void {
    sized('RST_STREAM', end - start, 4);
    const stream = this.#responses.streamOf(id, 'RST_STREAM');
    if (stream === undefined) {
      this.session.patience.useless('RST_STREAM');
      return;
    }
    this.session.close(stream);
    stream.aborted({ kind: 'reset', code: bytes.readUInt32BE(start) });
  }

  #settings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw violation('SETTINGS on a stream');
    if ((flags & Flag.ACK) !== 0) {
      sized('an acknowledgement of SETTINGS', end - start, 0);
      if (this.#acknowledged) throw violation('an acknowledgement of SETTINGS that were not sent');
      this.#acknowledged = true;
      this.#responses.withoutTable();
      this.session.acknowledged();
      return;
    }
    if ((end - start) % 6 !== 0)
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `SETTINGS of ${end - start} bytes`);
    this.session.patience.useless('SETTINGS');
    this.session.apply(bytes, start, end);
  }

  #ping(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw violation('PING on a stream');
    sized('PING', end - start, 8);
    const { session } = this;
    session.patience.useless('PING');
    if ((flags & Flag.ACK) !== 0) {
      session.pinged(bytes.subarray(start, end));
      return;
    }
    session.patience.owe();
    session.output.ping(bytes.subarray(start, end), true);
  }

  #goAway(id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw violation('GOAWAY on a stream');
    if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'GOAWAY that is too short');
    this.session.patience.useless('GOAWAY');
    const last = bytes.readUInt32BE(start) % 0x80000000;
    if (last > this.#lastOfGoAway) throw violation('GOAWAY with a higher stream than before');
    this.#lastOfGoAway = last;
    const debug = bytes.toString('utf8', start + 8, Math.min(end, start + 8 + MOST_DEBUG_DATA));
    this.session.goneAway(last, bytes.readUInt32BE(start + 4), debug);
  }

  #windowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    sized('WINDOW_UPDATE', end - start, 4);
    const { session } = this;
    session.patience.useless('WINDOW_UPDATE');
    const increment = bytes.readUInt32BE(start) % 0x80000000;
    if (id === 0) {
      if (increment === 0) throw violation('WINDOW_UPDATE by 0');
      if (!session.queue.grow(increment))
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'WINDOW_UPDATE overflows the window');
      return;
    }
    const stream = this.#responses.streamOf(id, 'WINDOW_UPDATE');
    if (stream === undefined) return;
    if (increment === 0) session.violated(stream, ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE by 0');
    else if (!session.queue.growStream(stream, increment))
      session.violated(stream, ErrorCode.FLOW_CONTROL_ERROR, 'WINDOW_UPDATE overflows the window');
  }

  /** Means nothing any more (RFC 9113, section 6.3). */
  #priority(id: number, length: number): void {
    if (id === 0) throw violation('PRIORITY on no stream');
    this.session.patience.useless('PRIORITY');
    if (length === 5) return;
    const stream = this.session.streams.get(id);
    if (stream !== undefined)
      this.session.violated(stream, ErrorCode.FRAME_SIZE_ERROR, `PRIORITY of ${length} bytes`);
  }
}

/** What is kept of what a server says when it goes away, in bytes. */
const MOST_DEBUG_DATA = 256;

function sized(what: string, length: number, right: number): void {
  if (length !== right) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${what} of ${length} bytes`);
}

/** Whatever was thrown while frames were taken in, as what ends the connection. */
export function connectionError(thrown: unknown): ConnectionError {
  if (thrown instanceof ConnectionError) return thrown;
  const code = thrown instanceof HpackError ? ErrorCode.COMPRESSION_ERROR : ErrorCode.INTERNAL_ERROR;
  return new ConnectionError(code, thrown instanceof Error ? thrown.message : String(thrown));
}
