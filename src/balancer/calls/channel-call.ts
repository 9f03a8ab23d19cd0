import type { CallCredentials, InterceptingListener, Metadata } from '@grpc/grpc-js';
import { type GrpcJsCall, type MessageContext, NO_COMPRESS } from '../../base/grpc-js/call.js';
import type { WireCall } from '../transport/transport.js';
import { PickedCall } from './call.js';
import type { CallHost, CallInit, CallStatus } from './call-host.js';
import type { ParentLink } from './create-call.js';
import { tell } from './hooks.js';
import type { CallKind } from './method.js';
import { SendBuffer } from './send-buffer.js';

/** A call as grpc-js's clients drive it: begun by its `start`, answered through a listener. */
export class ChannelCall extends PickedCall implements GrpcJsCall {
  readonly #sent = new SendBuffer();
  #listener: InterceptingListener | undefined;
  #reading = false;
  /** Of a call that was cancelled before it was started, how. */
  #early: CallStatus | undefined;
  #leaveParent: (() => void) | undefined;

  constructor(
    host: CallHost,
    init: CallInit,
    private readonly kind: CallKind | undefined,
    private readonly parent: ParentLink,
  ) {
    super(host, init);
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.init.metadata = metadata.clone();
    this.#listener = listener;
    if (this.over) {
      queueMicrotask(() => this.#end(this.#early));
      return;
    }
    this.#leaveParent = this.parent.bind(this);
    if (!this.over) this.begin();
  }

  setCredentials(credentials: CallCredentials): void {
    this.init.credentials = credentials;
  }

  sendMessageWithContext({ callback, flags = 0 }: MessageContext, message: Buffer): void {
    const written = callback as (() => void) | undefined;
    const compress = (flags & NO_COMPRESS) === 0;
    this.#sent.push(message, written && (() => tell(this, undefined, written, undefined)), compress);
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

  get unary(): boolean {
    return this.kind?.unary === true;
  }

  protected hearHeaders(headers: () => Metadata): void {
    this.#sent.forget();
    tell(this, this.#listener!, this.#listener!.onReceiveMetadata, headers());
  }

  onMessage(message: Buffer): void {
    this.messageCame();
    this.#reading = false;
    tell(this, this.#listener!, this.#listener!.onReceiveMessage, message);
    // Whoever expects one response asks for one; a second would stand before the end for ever.
    if (this.kind?.oneResponse === true) this.startRead();
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

  protected deliver(status: CallStatus): void {
    this.#sent.end();
    this.#leaveParent?.();
    if (this.#listener === undefined) this.#early = status;
    else this.#end(status);
  }

  #end(status: CallStatus | undefined): void {
    if (status === undefined) return;
    const { code, details, metadata } = status;
    tell(this, this.#listener!, this.#listener!.onReceiveStatus, { code, details, metadata });
  }
}
