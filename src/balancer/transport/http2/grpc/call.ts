import type { CallCredentials } from '@grpc/grpc-js';
import { Status } from '../../../../base/errors.js';
import type { CallListener, CallStart, Reached, WireCall, WireStatus } from '../../transport.js';
import { ErrorCode } from '../frames/protocol.js';
import type { Encoder } from '../hpack/encoder.js';
import type { Fields } from '../hpack/fields.js';
import type { Abort } from '../session/stream.js';
import type { CallHome, Line } from './call-home.js';
import { credentialsMetadata } from './credentials.js';
import { endOf, failure, headOf } from './endings.js';
import { MessageStream } from './message-stream.js';
import { Outbox } from './outbox.js';
import { requestSize } from './request-fields.js';
import { type CustomFields, customFields, MetadataFault, merged } from './request-metadata.js';
import { resetStatus, type Verdict } from './status.js';

/** One call over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): the call of the port, and the stream of the session, in one. */
export class Http2Call extends MessageStream implements WireCall {
  /** The caller's metadata, and what its credentials gave. */
  custom: CustomFields = [];
  /** When it must be over, in monotonic milliseconds; `Infinity` for never. */
  readonly deadlineAt: number;
  private readonly startedAt: number;
  private line: Line | undefined = undefined;
  private ended = false;
  private halfClosed = false;
  /** How the server ended it, while messages that came before lie unread. */
  private ending: WireStatus | undefined = undefined;
  private head: Fields | undefined = undefined;
  private outbox: Outbox | undefined = undefined;
  private cancelTimer: (() => void) | undefined = undefined;

  constructor(
    private readonly home: CallHome,
    private readonly call: CallStart,
    timeoutMs: number,
    private readonly listener: CallListener,
  ) {
    super();
    const timed = timeoutMs !== Number.POSITIVE_INFINITY;
    this.startedAt = timed ? home.clock.now() : 0;
    this.deadlineAt = timed ? this.startedAt + timeoutMs : timeoutMs;
  }

  /** Sets out, by way of its credentials where it has some. */
  begin(): void {
    const { call, home } = this;
    if (this.deadlineAt !== Number.POSITIVE_INFINITY) {
      const left = this.deadlineAt - this.startedAt;
      if (!(left > 0)) {
        this.turnAway(Status.DEADLINE_EXCEEDED, 'Deadline exceeded before the call was sent');
        return;
      }
      this.cancelTimer = home.clock.after(left, () => this.expire());
    }
    const custom = customFields(call.metadata);
    if (custom instanceof MetadataFault) {
      this.endNow({ code: Status.INTERNAL, details: custom.details }, 'unsendable');
      return;
    }
    this.custom = custom;
    if (call.credentials === undefined && home.credentials === undefined) home.enter(this);
    else this.askCredentials(call.credentials, home.credentials);
  }

  /** The connection has a session for it, which opens it as soon as there is room. */
  board(line: Line): void {
    this.line = line;
    if (this.custom.length > 0) {
      const limit = line.session.peer.maxHeaderListSize;
      const size = limit === Number.POSITIVE_INFINITY ? 0 : requestSize(this.path, this.custom);
      if (size > limit) {
        const details = `Metadata of ${size} bytes, and the server takes ${limit}`;
        this.endNow({ code: Status.RESOURCE_EXHAUSTED, details }, 'unsendable');
        return;
      }
    }
    line.session.open(this);
  }

  /** Nothing of it was sent, and nothing will be. */
  turnAway(code: number, details: string): void {
    this.endNow({ code, details }, 'never');
  }

  get path(): string {
    return this.call.path;
  }

  get authority(): string | undefined {
    return this.call.authority;
  }

  // The port.

  sendMessage(bytes: Buffer, onWritten?: () => void, compress = true): void {
    if (this.ended || this.halfClosed) return;
    const { maxSend } = this.home;
    if (bytes.length > maxSend) {
      this.refuseToSend(`Attempted to send message with a size larger than ${maxSend}`);
      return;
    }
    const how = compress ? this.home.compression : 'identity';
    if (how === 'identity' && this.outbox === undefined) this.put(bytes, 0, onWritten);
    else {
      this.outbox ??= new Outbox((message, flag, written) => this.put(message, flag, written));
      this.outbox.push(how, bytes, onWritten, () => this.finishSending());
    }
  }

  halfClose(): void {
    if (this.ended) return;
    this.halfClosed = true;
    this.finishSending();
  }

  startRead(): void {
    if (!this.ended) this.ask();
  }

  cancel(code: number, details: string): void {
    if (this.ended) return;
    const reached = this.place === 'open' || this.place === 'closed' ? 'maybe' : 'never';
    this.endNow({ code, details }, reached);
  }

  get peer(): string | undefined {
    return this.id === 0 ? undefined : this.line?.peer;
  }

  get authContext(): object | undefined {
    return this.id === 0 ? undefined : this.line?.authContext;
  }

  // The stream.

  writeFields(encoder: Encoder): void {
    const left =
      this.deadlineAt === Number.POSITIVE_INFINITY
        ? this.deadlineAt
        : this.deadlineAt - this.home.clock.now();
    this.line!.fields.write(encoder, this, left);
  }

  headersCame(fields: Fields, end: boolean): void {
    if (end) {
      this.finish(endOf(fields, undefined));
      return;
    }
    const { fault, encoding, metadata } = headOf(fields);
    if (fault !== undefined) {
      this.line!.session.cancel(this, ErrorCode.CANCEL);
      this.finish(failure(fault, 'maybe', fields));
      return;
    }
    this.head = fields;
    this.encoding = encoding;
    this.listener.onHeaders(metadata);
  }

  endCame(trailers: Fields | undefined): void {
    const status = endOf(trailers, this.head);
    const cutOff = this.cutOff;
    if (status.code === Status.OK && cutOff !== undefined) {
      const details = `Received ${cutOff}, and then the end`;
      this.finish(failure({ code: Status.INTERNAL, details }, 'maybe', trailers));
    } else this.finish(status);
  }

  aborted(why: Abort): void {
    switch (why.kind) {
      case 'reset': {
        const refused = why.code === ErrorCode.REFUSED_STREAM && !this.gotHeaders;
        this.finish(failure(this.resetVerdict(why.code), refused ? 'refused' : 'maybe'));
        break;
      }
      case 'violation': {
        const code = why.code === ErrorCode.ENHANCE_YOUR_CALM ? Status.RESOURCE_EXHAUSTED : Status.INTERNAL;
        this.finish(failure({ code, details: `The server broke the protocol: ${why.details}` }));
        break;
      }
      case 'lost':
        this.finish(failure({ code: Status.UNAVAILABLE, details: why.details }));
        break;
      default:
        this.finish(failure({ code: Status.UNAVAILABLE, details: why.details }, why.kind));
    }
  }

  // The messages.

  protected get maxReceive(): number {
    return this.home.maxReceive;
  }

  protected giveBack(length: number): void {
    this.line?.session.credit(this, length);
  }

  protected messageCame(bytes: Buffer): void {
    if (!this.ended) this.listener.onMessage(bytes);
  }

  protected messageFault(fault: Verdict): void {
    if (!this.ended) this.endNow(fault, 'maybe');
  }

  protected handedOn(): void {
    if (this.ending !== undefined && !this.ended) this.finish(this.ending);
  }

  private put(bytes: Buffer, flag: number, written: (() => void) | undefined): void {
    if (this.ended) return;
    const { line } = this;
    if (line === undefined) this.enqueue(bytes, flag, written);
    else line.session.message(this, bytes, flag, written);
  }

  /** After the last message, which may still be compressed. */
  private finishSending(): void {
    if (!this.halfClosed || this.ended || this.outbox?.isEmpty === false) return;
    if (this.line === undefined) this.endAsked = true;
    else this.line.session.end(this);
  }

  private askCredentials(own: CallCredentials | undefined, shared: CallCredentials | undefined): void {
    const { path } = this;
    const all = own === undefined ? shared! : shared === undefined ? own : own.compose(shared);
    credentialsMetadata(all, path, this.authority ?? this.home.authority, (fault, given) => {
      if (this.ended) return;
      if (fault !== undefined) {
        this.endNow(fault, 'unsendable');
        return;
      }
      const more = customFields(given!);
      const custom = more instanceof MetadataFault ? more : merged(this.custom, more);
      if (custom instanceof MetadataFault) {
        this.endNow({ code: Status.INTERNAL, details: custom.details }, 'unsendable');
        return;
      }
      this.custom = custom;
      this.home.enter(this);
    });
  }

  private resetVerdict(code: number): Verdict {
    // A server whose clock is ahead of ours ends the call by its own deadline.
    const late = code === ErrorCode.CANCEL && this.deadlineAt <= this.home.clock.now();
    return late ? { code: Status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' } : resetStatus(code);
  }

  private expire(): void {
    if (this.ended) return;
    const after = ((this.home.clock.now() - this.startedAt) / 1_000).toFixed(3);
    const where = this.peer === undefined ? 'Waiting for a stream' : `remote_addr=${this.peer}`;
    this.cancel(Status.DEADLINE_EXCEEDED, `Deadline exceeded after ${after}s,${where}`);
  }

  private refuseToSend(details: string): void {
    const unsent = this.place === 'none' || this.place === 'waiting';
    this.endNow({ code: Status.RESOURCE_EXHAUSTED, details }, unsent ? 'unsendable' : 'maybe');
  }

  /** Ends it from our side: the server is told, and the listener in a later microtask. */
  private endNow(verdict: Verdict, reached: Reached): void {
    this.ended = true;
    this.ending = failure(verdict, reached);
    this.forget();
    this.stopTimer();
    if (this.line === undefined) this.home.leave(this);
    else if (this.place !== 'closed') this.line.session.cancel(this, ErrorCode.CANCEL);
    queueMicrotask(() => this.listener.onStatus(this.ending!));
  }

  /** It has ended on the wire: the listener hears of it once it has heard of the messages before. */
  private finish(status: WireStatus): void {
    if (this.ended) return;
    this.ending = status;
    if (!this.anyUnread) this.conclude(status);
  }

  private conclude(status: WireStatus): void {
    this.ended = true;
    this.ending = status;
    this.stopTimer();
    this.listener.onStatus(status);
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
