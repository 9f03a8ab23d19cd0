import type { CallCredentials, InterceptingListener, Metadata } from '@grpc/grpc-js';
import { type GrpcJsCall, type MessageContext, NO_COMPRESS } from '../../base/grpc-js/call.js';
import type { WireCall } from '../transport/transport.js';
import { PickedCall } from './call.js';
import type { CallHost, CallInit, CallStatus } from './call-host.js';
import { SendBuffer } from './send-buffer.js';

/** A call as grpc-js's clients drive it: begun by its `start`, answered through a listener. */
export class ChannelCall extends PickedCall implements GrpcJsCall {
  #listener: InterceptingListener | undefined;
  #reading = false;
  /** Of a unary call: kept until its end, for another attempt may follow. */
  #response: Buffer | undefined;
  #endedEarly: CallStatus | undefined;
  readonly #sent = new SendBuffer();

  constructor(
    host: CallHost,
    init: CallInit,
    readonly unary: boolean,
  ) {
    super(host, init);
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.init.metadata = metadata.clone();
    this.#listener = listener;
    if (!this.ended) this.begin();
    else if (this.#endedEarly !== undefined)
      queueMicrotask(() => listener.onReceiveStatus(this.#endedEarly!));
  }

  setCredentials(credentials: CallCredentials): void {
    this.init.credentials = credentials;
  }

  sendMessageWithContext({ callback, flags = 0 }: MessageContext, message: Buffer): void {
    this.#sent.push(message, callback as (() => void) | undefined, (flags & NO_COMPRESS) === 0);
  }

  startRead(): void {
    this.#reading = true;
    this.wire?.startRead();
  }

  halfClose(): void {
    this.#sent.halfClose();
  }

  getPeer(): string {
    return this.wire?.peer ?? 'unknown';
  }

  getCallNumber(): number {
    return this.arrival;
  }

  getAuthContext(): ReturnType<GrpcJsCall['getAuthContext']> {
    return (this.wire?.authContext ?? null) as ReturnType<GrpcJsCall['getAuthContext']>;
  }

  protected headersCame(headers: Metadata): void {
    this.#sent.forget();
    this.#listener?.onReceiveMetadata(headers);
  }

  onMessage(message: Buffer): void {
    this.messageCame();
    if (this.unary) {
      const before = this.#response;
      this.#response = message;
      // A second one is against the protocol: the listener is to see that, and in order.
      if (before !== undefined) this.#listener?.onReceiveMessage(before);
      return;
    }
    this.#reading = false;
    this.#listener?.onReceiveMessage(message);
  }

  protected replay(wire: WireCall): void {
    if (this.#reading) wire.startRead();
    this.#sent.attach(wire);
  }

  protected override closed(): void {
    this.#response = undefined;
    this.#sent.detach();
  }

  protected replayable(): boolean {
    return this.#sent.replayable;
  }

  protected settle(status: CallStatus): void {
    this.#sent.end();
    if (this.#listener === undefined) {
      this.#endedEarly = status;
      return;
    }
    if (this.#response !== undefined) this.#listener.onReceiveMessage(this.#response);
    this.#listener.onReceiveStatus(status);
  }
}
