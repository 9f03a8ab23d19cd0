import { type CallCredentials, type InterceptingListener, Metadata, type StatusObject } from '@grpc/grpc-js';
import { Status } from '../../base/errors.js';
import type { GrpcJsCall, MessageContext } from '../../base/grpc-js/call.js';
import type { HedgeOptions } from '../core/retry-options.js';
import type { CallHost, CallInit, PolicyHost } from './call-host.js';
import { HedgedCall } from './hedge.js';
import type { UnaryCall } from './unary-call.js';

/** A hedged unary call as grpc-js's clients drive it: made when its one message is complete, told when it is over. */
export class HedgedChannelCall implements GrpcJsCall {
  #listener: InterceptingListener | undefined;
  #message: Buffer | undefined;
  #call: HedgedCall<Buffer> | undefined;
  #counts: UnaryCall<Buffer> | undefined;
  #cancelled: StatusObject | undefined;

  constructor(
    private readonly host: CallHost & PolicyHost,
    private readonly init: CallInit,
    private readonly options: HedgeOptions,
  ) {}

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.init.metadata = metadata.clone();
    this.#listener = listener;
    if (this.#cancelled !== undefined) this.#tell(this.#cancelled);
  }

  setCredentials(credentials: CallCredentials): void {
    this.init.credentials = credentials;
  }

  sendMessageWithContext({ callback }: MessageContext, message: Buffer): void {
    this.#message = message;
    if (callback !== undefined) queueMicrotask(() => callback());
  }

  halfClose(): void {
    if (this.#cancelled !== undefined) return;
    if (this.#message === undefined) {
      this.cancelWithStatus(Status.INTERNAL, 'a call that is hedged sends one message');
      return;
    }
    const onHeaders = (headers: Metadata) => this.#listener?.onReceiveMetadata(headers);
    this.#call = new HedgedCall(
      this.host,
      this.init,
      this.#message,
      (bytes) => bytes,
      onHeaders,
      this.options,
    );
    void this.#call.run().then((counts) => {
      this.#counts = counts;
      if (counts.response !== undefined) this.#listener?.onReceiveMessage(counts.response);
      this.#listener?.onReceiveStatus(counts.status!);
    });
  }

  /** The response is read in any case: there is one at the most. */
  startRead(): void {}

  cancelWithStatus(code: number, details: string): void {
    if (this.#call !== undefined) {
      this.#call.cancelWithStatus(code, details);
    } else if (this.#cancelled === undefined) {
      this.#cancelled = { code, details, metadata: new Metadata() };
      this.#tell(this.#cancelled);
    }
  }

  getPeer(): string {
    return this.#counts?.address ?? 'unknown';
  }

  getCallNumber(): number {
    return this.#counts?.arrival ?? 0;
  }

  getAuthContext(): ReturnType<GrpcJsCall['getAuthContext']> {
    return null;
  }

  #tell(status: StatusObject): void {
    queueMicrotask(() => this.#listener?.onReceiveStatus(status));
  }
}
