import { Status } from '../../base/errors.js';
import type { CallStatus } from './call-host.js';
import type { StreamCall } from './stream-call.js';

/** A call that has been started, as a {@link ResponseStream} needs it. */
export interface StartedStream<Response> {
  readonly call: StreamCall<never, Response>;
  readonly unbind: (() => void) | undefined;
  /** Tells of the end, and throws when the call failed. */
  conclude(status: CallStatus): void;
}

/**
 * The responses of a call as an async generator: the call starts with the first `next()`, and is cancelled when it is left
 * early. An `async function*` would keep a `return()` waiting until the `next()` before it is done, which of a silent
 * server may be never; here it ends the call at once, and that `next()` with it.
 */
export class ResponseStream<Response> implements AsyncGenerator<Response, void, undefined> {
  readonly #inner: AsyncGenerator<Response, void, undefined>;
  #started: StartedStream<Response> | undefined;
  #left = false;

  constructor(start: () => StartedStream<Response>) {
    this.#inner = this.#read(start);
  }

  next(): Promise<IteratorResult<Response, void>> {
    return this.#inner.next();
  }

  return(): Promise<IteratorResult<Response, void>> {
    this.#leave();
    return this.#inner.return(undefined);
  }

  throw(error: unknown): Promise<IteratorResult<Response, void>> {
    this.#leave();
    return this.#inner.throw(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#read(start: () => StartedStream<Response>): AsyncGenerator<Response, void, undefined> {
    const started = start();
    const { call } = started;
    this.#started = started;
    try {
      for (let message = await call.read(); message !== undefined; message = await call.read()) yield message;
    } finally {
      started.unbind?.();
      if (!call.over) call.cancelWithStatus(Status.CANCELLED, 'Cancelled on client');
    }
    if (!this.#left) started.conclude(call.status!);
  }

  #leave(): void {
    this.#left = true;
    const call = this.#started?.call;
    if (call !== undefined && !call.over) call.cancelWithStatus(Status.CANCELLED, 'Cancelled on client');
  }
}
