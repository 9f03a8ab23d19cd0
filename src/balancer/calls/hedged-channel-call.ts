import { AsyncResource } from 'node:async_hooks';
import type { CallCredentials, InterceptingListener, Metadata } from '@grpc/grpc-js';
import { Status } from '../../base/errors.js';
import type { GrpcJsCall, MessageContext } from '../../base/grpc-js/call.js';
import type { HedgeOptions } from '../core/retry-options.js';
import { type CallHost, type CallInit, type CallStatus, ownStatus, type PolicyHost } from './call-host.js';
import type { ParentLink } from './create-call.js';
import { HedgedCall } from './hedge.js';
import { tell } from './hooks.js';
import type { UnaryCall } from './unary-call.js';

/** A hedged unary call as grpc-js's clients drive it: made when its one message is complete, told when it is over. */
export class HedgedChannelCall extends AsyncResource implements GrpcJsCall {
  #listener: InterceptingListener | undefined;
  #message: Buffer | undefined;
  #call: HedgedCall<Buffer> | undefined;
  #counts: UnaryCall<Buffer> | undefined;
  #cancelled: CallStatus | undefined;
  #leaveParent: (() => void) | undefined;

  constructor(
    private readonly host: CallHost & PolicyHost,
    private readonly init: CallInit,
    private readonly options: HedgeOptions,
    private readonly parent: ParentLink,
  ) {
    super('EvenkeelCall');
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.init.metadata = metadata.clone();
    this.#listener = listener;
    if (this.#cancelled !== undefined) this.#endLater(this.#cancelled);
    else this.#leaveParent = this.parent.bind(this);
  }

  setCredentials(credentials: CallCredentials): void {
    this.init.credentials = credentials;
  }

  sendMessageWithContext({ callback }: MessageContext, message: Buffer): void {
    this.#message = message;
    if (callback !== undefined)
      queueMicrotask(() => tell(this, undefined, callback as () => void, undefined));
  }

  halfClose(): void {
    if (this.#cancelled !== undefined) return;
    if (this.#message === undefined) {
      this.cancelWithStatus(Status.INTERNAL, 'a call that is hedged sends one message');
      return;
    }
    const onHeaders = (headers: Metadata) => {
      tell(this, this.#listener!, this.#listener!.onReceiveMetadata, headers);
    };
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
      const listener = this.#listener!;
      if (counts.response !== undefined) tell(this, listener, listener.onReceiveMessage, counts.response);
      this.#end(counts.status!);
    });
  }

  /** The response is read in any case: there is one at the most. */
  startRead(): void {}

  cancelWithStatus(code: number, details: string): void {
    if (this.#call !== undefined) {
      this.#call.cancelWithStatus(code, details);
    } else if (this.#cancelled === undefined) {
      this.#cancelled = ownStatus(code, details);
      this.#endLater(this.#cancelled);
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

  #endLater(status: CallStatus): void {
    if (this.#listener !== undefined) queueMicrotask(() => this.#end(status));
  }

  #end({ code, details, metadata }: CallStatus): void {
    this.#leaveParent?.();
    tell(this, this.#listener!, this.#listener!.onReceiveStatus, { code, details, metadata });
  }
}
