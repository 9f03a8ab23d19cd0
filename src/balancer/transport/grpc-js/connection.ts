import { type ChannelInterface, type Client, connectivityState, Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../../base/clock.js';
import { BalancerError } from '../../../base/errors.js';
import type { TrackedCredentials } from '../../../base/grpc-js/tracked-credentials.js';
import { Holders } from '../holders.js';
import type { CallListener, CallStart, Connection, ConnectionEvent, Holder, WireCall } from '../transport.js';
import { GrpcCall } from './call.js';
import { nameProxy, proxySetting } from './proxy.js';

/** How long the question why a connection failed may take, in milliseconds. */
const EXPLAIN_TIMEOUT_MS = 1_000;
/** The most that grpc-js can write into `grpc-timeout` (eight digits of hours); it throws for more. */
const MAX_TIMEOUT_MS = 99_999_999 * 3_600_000;

/** A connection that is a grpc-js client of its own. */
export class GrpcConnection implements Connection {
  /** grpc-js keeps it to itself: calls over it wait in the HTTP/2 session. */
  readonly streamLimit = Number.POSITIVE_INFINITY;
  readonly #channel: ChannelInterface;
  readonly #target: string;
  readonly #holders = new Holders();
  #watching = false;
  #wasReady = false;
  #retired = false;
  #closed = false;

  constructor(
    private readonly address: string,
    private readonly client: Client,
    private readonly credentials: TrackedCredentials,
    private readonly clock: Clock,
    private readonly listener: (event: ConnectionEvent) => void,
  ) {
    this.#channel = client.getChannel();
    this.#target = this.#channel.getTarget();
  }

  connect(): void {
    // Asking a closed channel for its state with `true` would bring it back to life.
    if (this.#retired) return;
    // Whoever asks does not know that it is READY, though a call may have woken it meanwhile.
    this.#wasReady = false;
    const state = this.#channel.getConnectivityState(true);
    if (!this.#watching) this.#watch(state);
    // A watch tells of changes only: what has been reached already is told here.
    queueMicrotask(() => {
      if (!this.#retired) this.#heard(state);
    });
  }

  start(call: CallStart, timeoutMs: number, listener: CallListener): WireCall {
    const { bringMetadata } = this.credentials;
    return new GrpcCall(
      this.#channel,
      this.#target,
      call,
      this.#deadline(timeoutMs),
      bringMetadata,
      listener,
    );
  }

  hold(holder: Holder): Connection {
    this.#holders.add(holder);
    if (this.#holders.inBackground > 0) this.#keepAlive();
    return this;
  }

  release(holder: Holder): void {
    this.#holders.delete(holder);
    if (this.#holders.inBackground > 0 || holder.background) this.#keepAlive();
    if (this.#retired) this.#closeWhatIsOver();
  }

  get held(): number {
    return this.#holders.size;
  }

  retire(): void {
    this.#retired = true;
    this.#closeWhatIsOver();
  }

  unansweredCalls(): Iterable<Holder> {
    return this.#holders.unary();
  }

  cut(details: string): void {
    this.#holders.cut(details);
  }

  /** As long as a call is open that somebody waits for, and not for one in the background. */
  #keepAlive(): void {
    const { inBackground, waitedFor } = this.#holders;
    if (inBackground === 0) this.credentials.keepAlive('by-calls');
    else this.credentials.keepAlive(waitedFor ? 'always' : 'never');
  }

  #deadline(timeoutMs: number): number | undefined {
    if (timeoutMs <= 0) return undefined;
    return timeoutMs > MAX_TIMEOUT_MS ? Number.POSITIVE_INFINITY : this.clock.epochNow() + timeoutMs;
  }

  /** One watch at a time, without a deadline: it cannot be cancelled, and fires at close. */
  #watch(from: connectivityState): void {
    this.#watching = true;
    this.#channel.watchConnectivityState(from, Number.POSITIVE_INFINITY, () => {
      this.#watching = false;
      if (this.#retired) return;
      const state = this.#channel.getConnectivityState(false);
      this.#watch(state);
      this.#heard(state);
    });
  }

  #heard(state: connectivityState): void {
    if (state === connectivityState.READY) {
      if (this.#wasReady) return;
      this.#wasReady = true;
      this.listener({ kind: 'ready' });
    } else if (this.#wasReady) {
      this.#wasReady = false;
      this.listener({ kind: 'lost' });
    } else if (state === connectivityState.TRANSIENT_FAILURE) {
      this.#explain();
    }
  }

  /**
   * A channel does not say why it failed, but a call on one that has failed ends at once, unsent, with the reason in
   * its details.
   */
  #explain(): void {
    this.start({ path: '/evenkeel.Explain/Failure', metadata: new Metadata() }, EXPLAIN_TIMEOUT_MS, {
      onHeaders() {},
      onMessage() {},
      onStatus: ({ details }) => {
        if (this.#retired) return;
        const why = nameProxy(details.replace(/\. Resolution note: $/, ''), proxySetting(process.env));
        const cause = new BalancerError('CONNECT_FAILED', `${this.address}: ${why}`);
        this.listener({ kind: 'failed', cause });
      },
    });
  }

  /** The channel closes with the last pick, its sockets with the last call: one that has a stream goes on on them. */
  #closeWhatIsOver(): void {
    if (this.#holders.byHand > 0) return;
    if (!this.#closed) {
      this.#closed = true;
      this.client.close();
    }
    if (this.#holders.size === 0) this.credentials.endSockets();
  }
}
