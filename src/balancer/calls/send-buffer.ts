import type { WireCall } from '../transport/transport.js';

/** What may be kept of an unanswered stream, so that it can be sent again elsewhere, in bytes and in messages. */
export const MAX_KEPT_BYTES = 256 * 1024;
export const MAX_KEPT_MESSAGES = 1_000;

interface Message {
  readonly bytes: Buffer;
  readonly compress: boolean;
  /** Called once, when the message has first been written; a later wire writes it in silence. */
  written: (() => void) | undefined;
}

/**
 * The messages of a call on their way to the wire: one at a time, each when the one before is written, and kept until the
 * server has answered, so that another wire can be given all of them. Once more than {@link MAX_KEPT_BYTES}, or
 * {@link MAX_KEPT_MESSAGES}, were sent (a first message of any size is let through) they are kept no more.
 */
export class SendBuffer {
  #wire: WireCall | undefined;
  #messages: Message[] = [];
  /** How many of `#messages` the present wire has been given. */
  #given = 0;
  #writing = false;
  #halfClosed = false;
  #halfCloseGiven = false;
  #keptBytes = 0;
  #keeping = true;
  #ended = false;

  /** Whether all that was sent is there still. */
  get kept(): boolean {
    return this.#keeping;
  }

  /** Gives a new wire everything from the beginning. */
  attach(wire: WireCall): void {
    this.#wire = wire;
    this.#given = 0;
    this.#writing = false;
    this.#halfCloseGiven = false;
    this.#pump();
  }

  /** The wire is gone; what comes now waits for the next. */
  detach(): void {
    this.#wire = undefined;
  }

  /** @param written - hears, once, that the message was first written, or that the call is over. */
  push(bytes: Buffer, written?: () => void, compress = true): void {
    if (this.#ended) {
      written?.();
      return;
    }
    this.#messages.push({ bytes, compress, written });
    this.#keptBytes += bytes.length;
    const { length } = this.#messages;
    if (length > MAX_KEPT_MESSAGES || (this.#keptBytes > MAX_KEPT_BYTES && length > 1)) this.forget();
    this.#pump();
  }

  halfClose(): void {
    this.#halfClosed = true;
    this.#pump();
  }

  /** Nothing has to be sent again: what has been written is let go. */
  forget(): void {
    this.#keeping = false;
    this.#drop();
  }

  /** The call is over: nothing more is sent, and no writer is kept waiting. */
  end(): void {
    this.#ended = true;
    this.#wire = undefined;
    for (const message of this.#messages.splice(0)) tellWritten(message);
  }

  #drop(): void {
    // The message being written is the wire's already, but its callback is still to come.
    const done = this.#writing ? this.#given - 1 : this.#given;
    this.#messages.splice(0, done);
    this.#given -= done;
  }

  #pump(): void {
    const wire = this.#wire;
    if (wire === undefined) return;
    if (!this.#writing && this.#given < this.#messages.length) {
      const message = this.#messages[this.#given++]!;
      this.#writing = true;
      wire.sendMessage(message.bytes, () => this.#written(wire, message), message.compress);
    }
    if (this.#halfClosed && !this.#halfCloseGiven && this.#given === this.#messages.length) {
      this.#halfCloseGiven = true;
      wire.halfClose();
    }
  }

  #written(wire: WireCall, message: Message): void {
    if (wire === this.#wire) {
      this.#writing = false;
      if (!this.#keeping) this.#drop();
    }
    tellWritten(message);
    if (wire === this.#wire) this.#pump();
  }
}

/** Lets the writer of a message go on, once. */
function tellWritten(message: Message): void {
  const tell = message.written;
  message.written = undefined;
  tell?.();
}
