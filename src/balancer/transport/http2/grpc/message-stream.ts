import { Status } from '../../../../base/errors.js';
import { MESSAGE_PREFIX, Stream } from '../session/stream.js';
import { decompress } from './compression.js';
import type { Verdict } from './status.js';

/** A message that nobody has asked for yet. */
interface Unread {
  readonly bytes: Buffer;
  readonly compressed: boolean;
  /** What it takes on the wire, with its prefix. */
  readonly size: number;
}

/** Larger messages are given their memory as they come: a prefix alone is no reason to set so much aside. */
const AT_ONCE = 64 * 1_024;

/** Messages that were handed on, after which their places are cut off. */
const STEP = 1_024;

/**
 * A stream of gRPC messages (PROTOCOL-HTTP2.md, Length-Prefixed-Message), cut out of DATA in whatever chunks it comes, and
 * handed on one by one, as they are asked for. What was handed on, or is on its way to whoever waits for it, is given back
 * to the server as credit; what lies here unread is not.
 */
export abstract class MessageStream extends Stream {
  /** `grpc-encoding` of the response. */
  protected encoding: string | undefined = undefined;
  private reads = 0;
  /** From `next` on. Cut off in steps: there may be a hundred thousand of nothing, and an array shifts slowly. */
  private unread: Unread[] | undefined = undefined;
  private next = 0;
  private inflating = false;
  /** What came and was not given back. */
  private held = 0;
  /** Of that, what lies in `unread`. */
  private unreadSize = 0;
  /** The prefix of the next message, as far as it has come. */
  private prefixed = 0;
  private compressed = false;
  private length = 0;
  /** The next message, as far as it has come. */
  private partial: Buffer | undefined = undefined;
  private have = 0;

  /** The longest message that is taken, in bytes, before and after it is decompressed. */
  protected abstract get maxReceive(): number;
  protected abstract giveBack(length: number): void;
  protected abstract messageCame(bytes: Buffer): void;
  /** What came is no message, or too long a one. */
  protected abstract messageFault(fault: Verdict): void;
  /** Of what had come, all was handed on that was asked for. */
  protected abstract handedOn(): void;

  dataCame(bytes: Buffer, start: number, end: number): void {
    this.held += end - start;
    let at = start;
    while (at < end && this.place === 'open') at = this.take(bytes, at, end);
    this.giveBackRead();
  }

  /** Asks for one more message, which does not come from within. */
  protected ask(): void {
    this.reads++;
    if (this.unread !== undefined) queueMicrotask(() => this.handOn());
    else this.giveBackRead();
  }

  /** Whether there is something that was not handed on. */
  protected get anyUnread(): boolean {
    return this.inflating || this.unread !== undefined;
  }

  /** What is there of a message that is not whole; undefined when there is none. */
  protected get cutOff(): string | undefined {
    if (this.partial !== undefined) return `${this.have} of ${this.length} bytes of a message`;
    return this.prefixed > 0 ? `${this.prefixed} bytes of a message's prefix` : undefined;
  }

  /** Nothing more is handed on. */
  protected forget(): void {
    this.unread = undefined;
    this.next = 0;
    this.unreadSize = 0;
    this.partial = undefined;
  }

  /** Takes a part of a message. Returns where the rest begins; nowhere, when the call is to end. */
  private take(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.partial === undefined) {
      at = this.takePrefix(bytes, at, end);
      if (this.prefixed < MESSAGE_PREFIX) return at;
      if (this.length > this.maxReceive) {
        const details = `Received message larger than max (${this.length} vs ${this.maxReceive})`;
        this.messageFault({ code: Status.RESOURCE_EXHAUSTED, details });
        return end;
      }
      this.partial = Buffer.allocUnsafe(Math.min(this.length, Math.max(AT_ONCE, end - at)));
      this.have = 0;
    }
    const to = Math.min(end, at + this.length - this.have);
    this.append(bytes, at, to);
    if (this.have === this.length) this.whole();
    return to;
  }

  /** A flag and four bytes of length, one by one: they may be torn apart anywhere. */
  private takePrefix(bytes: Buffer, start: number, end: number): number {
    let at = start;
    for (; this.prefixed < MESSAGE_PREFIX && at < end; this.prefixed++) {
      const byte = bytes[at++]!;
      if (this.prefixed > 0) this.length = this.length * 256 + byte;
      else if (byte > 1) {
        const details = `Received message with the flag ${byte}, which is neither 0 nor 1`;
        this.messageFault({ code: Status.INTERNAL, details });
        return end;
      } else {
        this.compressed = byte === 1;
        this.length = 0;
      }
    }
    return at;
  }

  private append(bytes: Buffer, start: number, end: number): void {
    const needed = this.have + end - start;
    if (needed > this.partial!.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.length, Math.max(needed, 2 * this.partial!.length)));
      larger.set(this.partial!.subarray(0, this.have));
      this.partial = larger;
    }
    bytes.copy(this.partial!, this.have, start, end);
    this.have = needed;
  }

  private whole(): void {
    const bytes = this.partial!;
    this.partial = undefined;
    this.prefixed = 0;
    if (this.reads > 0 && !this.compressed && !this.anyUnread) {
      this.reads--;
      this.messageCame(bytes);
      return;
    }
    const size = MESSAGE_PREFIX + this.length;
    this.unread ??= [];
    this.unread.push({ bytes, compressed: this.compressed, size });
    this.unreadSize += size;
    this.handOn();
  }

  /** Hands on what was asked for, as far as it is there. */
  private handOn(): void {
    while (this.reads > 0 && !this.inflating && this.unread !== undefined) {
      const { bytes, compressed, size } = this.nextUnread(this.unread);
      this.unreadSize -= size;
      this.reads--;
      if (compressed) this.inflate(bytes);
      else this.messageCame(bytes);
    }
    this.giveBackRead();
    if (!this.inflating) this.handedOn();
  }

  private nextUnread(unread: Unread[]): Unread {
    const first = unread[this.next++]!;
    if (this.next === unread.length) {
      this.unread = undefined;
      this.next = 0;
    } else if (this.next >= STEP) {
      unread.splice(0, this.next);
      this.next = 0;
    }
    return first;
  }

  private inflate(bytes: Buffer): void {
    this.inflating = true;
    decompress(this.encoding, bytes, this.maxReceive, (fault, message) => {
      this.inflating = false;
      if (fault !== undefined) this.messageFault(fault);
      else {
        this.messageCame(message);
        this.handOn();
      }
    });
  }

  /** Gives back what is not lying here for want of a reader. */
  private giveBackRead(): void {
    const waits = this.reads > 0 ? 0 : this.prefixed + (this.partial === undefined ? 0 : this.have);
    const lying = this.unreadSize + waits;
    if (this.held <= lying) return;
    this.giveBack(this.held - lying);
    this.held = lying;
  }
}
