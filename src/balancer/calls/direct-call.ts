import type { CallCredentials, InterceptingListener, Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import { type GrpcJsCall, type MessageContext, NO_COMPRESS } from '../../base/grpc-js/call.js';
import type { CallListener, Connection, WireCall, WireStatus } from '../transport/transport.js';
import type { CallTerms } from './create-call.js';

/** A call on one connection, as grpc-js's clients drive it: of a pick by hand, never made anywhere else. */
export class DirectCall implements GrpcJsCall, CallListener {
  #credentials: CallCredentials | undefined;
  #listener: InterceptingListener | undefined;
  #wire: WireCall | undefined;
  /** What an interceptor that starts the call later has done to it before. */
  #early: ((wire: WireCall) => void)[] = [];

  /** @param onEnd - hears of the end before the call's listener does. */
  constructor(
    private readonly connection: Connection,
    private readonly terms: CallTerms,
    private readonly clock: Clock,
    private readonly onEnd: (status: WireStatus) => void,
  ) {}

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.#listener = listener;
    const { path, authority, deadline } = this.terms;
    const timeoutMs = deadline - this.clock.epochNow();
    const start = { path, authority, metadata, credentials: this.#credentials };
    const wire = this.connection.start(start, timeoutMs, this);
    this.#wire = wire;
    for (const act of this.#early.splice(0)) act(wire);
  }

  setCredentials(credentials: CallCredentials): void {
    this.#credentials = credentials;
  }

  sendMessageWithContext({ callback, flags = 0 }: MessageContext, message: Buffer): void {
    const compress = (flags & NO_COMPRESS) === 0;
    this.#act((wire) => wire.sendMessage(message, callback as (() => void) | undefined, compress));
  }

  startRead(): void {
    this.#act((wire) => wire.startRead());
  }

  halfClose(): void {
    this.#act((wire) => wire.halfClose());
  }

  cancelWithStatus(code: number, details: string): void {
    this.#act((wire) => wire.cancel(code, details));
  }

  getPeer(): string {
    return this.#wire?.peer ?? 'unknown';
  }

  getCallNumber(): number {
    return 0;
  }

  getAuthContext(): ReturnType<GrpcJsCall['getAuthContext']> {
    return (this.#wire?.authContext ?? null) as ReturnType<GrpcJsCall['getAuthContext']>;
  }

  onHeaders(headers: Metadata): void {
    this.#listener!.onReceiveMetadata(headers);
  }

  onMessage(bytes: Buffer): void {
    this.#listener!.onReceiveMessage(bytes);
  }

  onStatus(status: WireStatus): void {
    this.onEnd(status);
    this.#listener!.onReceiveStatus(status);
  }

  #act(act: (wire: WireCall) => void): void {
    if (this.#wire === undefined) this.#early.push(act);
    else act(this.#wire);
  }
}
