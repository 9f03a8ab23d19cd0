import type { Output } from '../frames/output.js';
import { ConnectionError, DEFAULT_WINDOW, ErrorCode } from '../frames/protocol.js';
import type { Stream } from './stream.js';

/**
 * What the server may send, on each stream and on all. A stream's window opens again as its owner reads; that of the
 * connection as soon as something came, so that a stream that is not read holds up no other: at most its window lies here.
 * grpc-go does the same.
 */
export class Inflow {
  #window = DEFAULT_WINDOW;
  /** Came, and the server was not told yet that it may send as much again. */
  #uncredited = 0;

  constructor(
    private readonly output: Output,
    private readonly streamWindow: number,
    private readonly connectionWindow: number,
  ) {}

  /** Opens the window of the connection, which SETTINGS cannot (RFC 9113, section 6.9.2). */
  start(): void {
    if (this.connectionWindow > DEFAULT_WINDOW)
      this.output.windowUpdate(0, this.connectionWindow - DEFAULT_WINDOW);
    this.#window = this.connectionWindow;
  }

  /** DATA came, whatever becomes of it. @throws {@link ConnectionError} FLOW_CONTROL_ERROR */
  received(length: number): void {
    this.#window -= length;
    if (this.#window < 0) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'more data than the window of the connection');
    }
    this.#uncredited += length;
  }

  /** It is time to tell the server that it may send more. */
  get due(): boolean {
    return this.#uncredited * 2 >= this.connectionWindow;
  }

  /** Tells it, when it is time. To be called when what goes out is taken: what it is not told does not count. */
  settle(): void {
    if (!this.due) return;
    this.output.windowUpdate(0, this.#uncredited);
    this.#window += this.#uncredited;
    this.#uncredited = 0;
  }

  /** So much of a stream was read. */
  credit(stream: Stream, length: number): void {
    stream.uncredited += length;
    if (stream.uncredited * 2 < this.streamWindow || stream.gotEnd || stream.place !== 'open') return;
    this.output.windowUpdate(stream.id, stream.uncredited);
    stream.receiveWindow += stream.uncredited;
    stream.uncredited = 0;
  }
}
