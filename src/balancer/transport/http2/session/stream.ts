import type { Linked } from '../../../../base/linked-list.js';
import type { Encoder } from '../hpack/encoder.js';
import type { Fields } from '../hpack/fields.js';

/** A gRPC message on its way out: five bytes that say its length stand before it on the wire. */
export interface Chunk {
  readonly bytes: Buffer;
  /** The first of the five bytes: 1 where the message is compressed. */
  readonly flag: number;
  /** How much of prefix and message is written. */
  done: number;
  /** Called once all of it is. */
  readonly written: (() => void) | undefined;
  next: Chunk | undefined;
}

/** The bytes before a message: a flag, and its length (PROTOCOL-HTTP2.md, Length-Prefixed-Message). */
export const MESSAGE_PREFIX = 5;

/** Why a stream ended before its time. */
export type Abort =
  /** The peer's RST_STREAM. */
  | { readonly kind: 'reset'; readonly code: number }
  /** The peer broke a rule, and was sent RST_STREAM with this code. */
  | { readonly kind: 'violation'; readonly code: number; readonly details: string }
  /** Nothing of it was written, or the peer said in GOAWAY that it did not process it. */
  | { readonly kind: 'never' | 'refused'; readonly details: string }
  /** The connection is gone. */
  | { readonly kind: 'lost'; readonly details: string };

/**
 * One stream of a session: what HTTP/2 has to know of it, in the object that is the call. A session drives it; its owner
 * says what the frames mean.
 */
export abstract class Stream implements Linked {
  /** Among the streams that have something to send, or that wait to be opened. */
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  /** 0 until the session opens it. */
  id = 0;
  /** Where the session has it. */
  place: 'none' | 'waiting' | 'open' | 'closed' = 'none';
  /** What may still be sent, in bytes; below zero when the peer has made windows smaller. */
  sendWindow = 0;
  /** What the peer may still send, in bytes. */
  receiveWindow = 0;
  /** What was read of it, and the peer has not been told of. */
  uncredited = 0;
  /** The response has a `content-length`, and so much of it is still to come. */
  hasLength = false;
  bodyLeft = 0;
  gotHeaders = false;
  gotEnd = false;
  /** Nothing more is to be sent after what is queued. */
  endAsked = false;
  sentEnd = false;
  /** Where its last frame is in the output, as long as the output has not been taken: a flag may still be added. */
  frameAt = 0;
  frameTake = -1;
  /** The first message, while nothing of the stream is written: most have no other. */
  first: Buffer | undefined = undefined;
  firstFlag = 0;
  firstWritten: (() => void) | undefined = undefined;
  /** The messages that wait, in order, after that. */
  firstChunk: Chunk | undefined = undefined;
  lastChunk: Chunk | undefined = undefined;
  /** The output had been taken so often when its first frame was written: until the next time, nothing of it has gone. */
  openedTake = -1;
  /** It is among the streams that have something to send. */
  sending = false;

  /** Adds a message to what is to be sent. */
  enqueue(bytes: Buffer, flag: number, written: (() => void) | undefined): void {
    if (this.place !== 'open' && this.first === undefined) {
      this.first = bytes;
      this.firstFlag = flag;
      this.firstWritten = written;
      return;
    }
    const chunk: Chunk = { bytes, flag, done: 0, written, next: undefined };
    if (this.lastChunk === undefined) this.firstChunk = chunk;
    else this.lastChunk.next = chunk;
    this.lastChunk = chunk;
  }

  /** Writes the fields of the request. */
  abstract writeFields(encoder: Encoder): void;
  /** The response began; not told of 1xx. With `end`, these are all that there is. */
  abstract headersCame(fields: Fields, end: boolean): void;
  /** A part of the body, which is there until this returns. The owner says when it has been read: `Session.credit`. */
  abstract dataCame(bytes: Buffer, start: number, end: number): void;
  /** The response ended well, with or without trailers. */
  abstract endCame(trailers: Fields | undefined): void;
  /** It ended otherwise. Nothing comes any more. */
  abstract aborted(why: Abort): void;
}
