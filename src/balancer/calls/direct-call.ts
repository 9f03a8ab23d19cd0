import { AsyncResource } from 'node:async_hooks';
import type { CallCredentials, InterceptingListener, Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import { asBalancerError } from '../../base/errors.js';
import { type GrpcJsCall, type MessageContext, NO_COMPRESS } from '../../base/grpc-js/call.js';
import { refuseUnsendable } from '../transport/sendable.js';
import type { CallListener, Connection, WireCall, WireStatus } from '../transport/transport.js';
import { ownStatus } from './call-host.js';
import type { CallTerms, ParentLink } from './create-call.js';
import { tell } from './hooks.js';

/** What a {@link DirectCall} is made with. */
export interface DirectCallInit {
  readonly connection: Connection;
  readonly terms: CallTerms;
  readonly parent: ParentLink;
  readonly clock: Clock;
  /** Known to have one response. */
  readonly oneResponse: boolean;
  /** Hears of the end before the call's listener does. */
  readonly onEnd: (status: WireStatus) => void;
}

/** A call on one connection, as grpc-js's clients drive it: of a pick by hand, never made anywhere else. */
export class DirectCall extends AsyncResource implements GrpcJsCall, CallListener {
  #credentials: CallCredentials | undefined;
  #listener: InterceptingListener | undefined;
  #wire: WireCall | undefined;
  /** What an interceptor that starts the call later has done to it before. */
  #early: ((wire: WireCall) => void)[] = [];
  #leaveParent: (() => void) | undefined;

  constructor(private readonly init: DirectCallInit) {
    super('EvenkeelCall');
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    const { connection, terms, parent, clock } = this.init;
    const { path, authority, expiresAt } = terms;
    const start = { path, authority, metadata, credentials: this.#credentials };
    this.#listener = listener;
    try {
      refuseUnsendable(start);
      this.#wire = connection.start(start, expiresAt - clock.now(), this);
    } catch (thrown) {
      const { status, message } = asBalancerError(thrown);
      queueMicrotask(() => this.onStatus({ ...ownStatus(status, message), reached: 'unsendable' }));
      return;
    }
    for (const act of this.#early.splice(0)) act(this.#wire);
    this.#leaveParent = parent.bind(this);
  }

  setCredentials(credentials: CallCredentials): void {
    this.#credentials = credentials;
  }

  sendMessageWithContext({ callback, flags = 0 }: MessageContext, message: Buffer): void {
    const written = callback as (() => void) | undefined;
    const compress = (flags & NO_COMPRESS) === 0;
    this.#act((wire) =>
      wire.sendMessage(message, written && (() => tell(this, undefined, written, undefined)), compress),
    );
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

  onHeaders(headers: () => Metadata): void {
    tell(this, this.#listener!, this.#listener!.onReceiveMetadata, headers());
  }

  onMessage(bytes: Buffer): void {
    tell(this, this.#listener!, this.#listener!.onReceiveMessage, bytes);
    // A second one would stand before the end for ever.
    if (this.init.oneResponse) this.startRead();
  }

  onStatus(status: WireStatus): void {
    const { code, details, metadata } = status;
    this.#leaveParent?.();
    this.init.onEnd(status);
    tell(this, this.#listener!, this.#listener!.onReceiveStatus, { code, details, metadata });
  }

  #act(act: (wire: WireCall) => void): void {
    if (this.#wire === undefined) this.#early.push(act);
    else act(this.#wire);
  }
}
