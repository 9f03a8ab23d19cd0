import type { Metadata } from '@grpc/grpc-js';
import { asError, Status } from '../../base/errors.js';
import type { WireCall } from '../transport/transport.js';
import { PickedCall } from './call.js';
import { type CallHost, type CallInit, type CallStatus, ownStatus, tooManyResponses } from './call-host.js';
import { callHook } from './hooks.js';
import { bytesOf } from './method.js';
import { SendBuffer } from './send-buffer.js';

/** What a streaming call sends: its requests, or the one that it has. */
export type Requests<Request> = AsyncIterable<Request> | Iterable<Request>;

/** A call with a stream on one side or both: sent from an iterable, read a message at a time. */
export class StreamCall<Request, Response> extends PickedCall {
  status: CallStatus | undefined = undefined;
  readonly #sent = new SendBuffer();
  #received: Response | undefined = undefined;
  #reading = false;
  #fault: CallStatus | undefined = undefined;
  /** Wakes whoever waits for a message or the end. */
  #wake: (() => void) | undefined = undefined;
  #stopSending: (() => void) | undefined = undefined;

  constructor(
    host: CallHost,
    init: CallInit,
    private readonly serialize: (request: Request) => Buffer,
    private readonly deserialize: (bytes: Buffer) => Response,
    private readonly onMetadata: ((metadata: Metadata) => void) | undefined,
  ) {
    super(host, init);
  }

  /** Starts the call with its one request. */
  runOne(request: Buffer): void {
    this.begin();
    this.#sent.push(request);
    this.#sent.halfClose();
  }

  /** Starts the call, and sends what `requests` give as fast as the server takes it. */
  run(requests: Requests<Request>): void {
    this.begin();
    void this.#send(requests);
  }

  /** The next message; undefined at the end, when there is a {@link status}. One at a time. */
  async read(): Promise<Response | undefined> {
    if (this.status === undefined) {
      this.#reading = true;
      this.wire?.startRead();
      await this.#next();
    }
    const message = this.#received;
    this.#received = undefined;
    return message;
  }

  /** The one message of a call that must have no other; undefined when there is none. At the end of the call. */
  async readOnly(): Promise<Response | undefined> {
    const message = await this.read();
    if (message !== undefined && (await this.read()) !== undefined) {
      this.#fail(tooManyResponses());
    }
    while (this.status === undefined) await this.#next();
    return message;
  }

  protected hearHeaders(headers: () => Metadata): void {
    this.#sent.forget();
    if (this.onMetadata === undefined) return;
    const fault = callHook('onMetadata', this.onMetadata, headers(), this);
    if (fault !== undefined) this.#fail(fault);
  }

  onMessage(bytes: Buffer): void {
    this.messageCame();
    this.#reading = false;
    try {
      this.#received = this.runInAsyncScope(this.deserialize, undefined, bytes);
    } catch (thrown) {
      this.#fail(
        ownStatus(Status.INTERNAL, `Response message parsing error: ${asError(thrown).message}`, thrown),
      );
      return;
    }
    this.#awake();
  }

  protected sendAll(wire: WireCall): void {
    if (this.#reading) wire.startRead();
    this.#sent.attach(wire);
  }

  protected override rewind(): void {
    this.#sent.detach();
  }

  protected sendable(): boolean {
    return this.#sent.kept;
  }

  get unary(): boolean {
    return false;
  }

  protected deliver(status: CallStatus): void {
    this.status = this.#fault ?? status;
    this.#sent.end();
    this.#stopSending?.();
    this.#awake();
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #fail(fault: CallStatus): void {
    this.#fault ??= fault;
    // The end may have come in the same turn as what is wrong.
    if (this.status !== undefined) this.status = this.#fault;
    this.cancelWithStatus(fault.code, fault.details);
  }

  async #send(requests: Requests<Request>): Promise<void> {
    try {
      const iterator =
        Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
      for (;;) {
        const next = await this.#unlessEnded<IteratorResult<Request>>((resolve, reject) => {
          Promise.resolve(iterator.next()).then(resolve, reject);
        });
        if (next?.done === true) break;
        const bytes = next && this.#serialized(next.value);
        if (bytes === undefined) {
          // Not awaited: a generator that is busy returns when it gets there.
          void Promise.resolve(iterator.return?.()).catch(() => {});
          return;
        }
        await this.#unlessEnded<true>((resolve) => this.#sent.push(bytes, () => resolve(true)));
      }
      this.#sent.halfClose();
    } catch (thrown) {
      this.#fail(
        ownStatus(Status.CANCELLED, `The requests ended with an error: ${asError(thrown).message}`, thrown),
      );
    }
  }

  #serialized(request: Request): Buffer | undefined {
    try {
      return bytesOf(this.serialize, request);
    } catch (thrown) {
      this.#fail(
        ownStatus(
          Status.INTERNAL,
          `Request message serialization failure: ${asError(thrown).message}`,
          thrown,
        ),
      );
      return undefined;
    }
  }

  /** What `work` resolves with; undefined once the call has ended. One promise for both, or a long stream would leak. */
  #unlessEnded<T>(
    work: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      if (this.status !== undefined) return resolve(undefined);
      this.#stopSending = () => resolve(undefined);
      work(resolve, reject);
    });
  }
}
