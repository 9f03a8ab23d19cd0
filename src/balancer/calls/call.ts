import { AsyncResource } from 'node:async_hooks';
import type { Metadata } from '@grpc/grpc-js';
import { backoffMs } from '../../base/backoff.js';
import { FOR_EVER_MS } from '../../base/clock.js';
import { asBalancerError, type BalancerError, Status } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import { type AttemptEnd, attemptOutcome, PUSHBACK, wasNotProcessed } from '../core/attempt-outcome.js';
import type { Request } from '../core/dispatcher.js';
import type { Row } from '../table/row.js';
import { refuseUnsendable } from '../transport/sendable.js';
import type {
  CallListener,
  CallStart,
  Connection,
  Holder,
  WireCall,
  WireStatus,
} from '../transport/transport.js';
import {
  type CallHost,
  type CallInit,
  type CallStatus,
  type Connected,
  NO_METADATA,
  ownStatus,
} from './call-host.js';
import { type AttemptMessage, attemptDiagnostics } from './diagnostics.js';

/** Rounds over subchannels that all refused a call, after which it gives up (gRFC A6 allows 5 attempts). */
const MAX_ROUNDS = 5;
/** Subchannels that may refuse a call one right after the other: more would keep the process from all else. */
const MAX_AT_ONCE = 32;
const ROUND_BACKOFF = { baseMs: 20, maxMs: 1_000 };
/** gRFC A6: which attempt this is. */
const PREVIOUS_ATTEMPTS = 'grpc-previous-rpc-attempts';
/**
 * A server keeps a call's deadline by itself, and may be first by as much as a timer and a packet are inexact, in
 * milliseconds: the CANCEL that it sends then is the deadline's.
 */
const DEADLINE_SLACK_MS = 5;

/**
 * Where a call is. A call that succeeds at once has no data of its own for its states: what it holds while it is open is
 * in the call itself.
 */
type State =
  | { readonly kind: 'new' }
  /** On a row, over its connection. */
  | { readonly kind: 'open' }
  /** In the queue, for a row with room. */
  | { readonly kind: 'waiting'; readonly stopTimers: () => void }
  /** Out of the queue, until another attempt is due. */
  | { readonly kind: 'backing-off'; readonly stopTimers: () => void }
  /** Nothing comes any more. The status has been delivered, or is about to be. */
  | { readonly kind: 'over' };

const NEW: State = { kind: 'new' };
const OPEN: State = { kind: 'open' };
const OVER: State = { kind: 'over' };

/** What is known of a call that has failed before. */
interface Failed {
  /** The rows that failed it. */
  readonly rows: Set<Row<Connected>>;
  /** Attempts that may have reached a server. */
  attempts: number;
  /** Rows that have refused it, one right after the other. */
  refusals: number;
  /** How often every row with room had refused it. */
  rounds: number;
}

/**
 * The one call starter: under stubs, generated clients and channels alike. It picks or waits, opens the call on the
 * wire, counts it, picks again when the call provably never reached a server, and tries again when that is declared.
 *
 * One object is all of it: the request to the dispatcher, the member of the wait queue, the holder of the connection, the
 * wire's listener, and the async context of whoever made the call, in which all that is the user's runs, whatever event
 * it is that brings the call on. Subclasses know what has been sent ({@link sendAll}) and where answers go
 * ({@link hearHeaders}, `onMessage`, {@link deliver}).
 *
 * Three words for an end: an attempt is *released*, once, when its pick is counted off its row; a call is *over* when
 * nothing more can come of it; its status is then *delivered*, once.
 */
export abstract class PickedCall extends AsyncResource implements Request<Connected>, Holder, CallListener {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  arrival = 0;
  now = 0;
  readonly key: string | undefined;
  readonly group: string | undefined;
  exclude: ReadonlySet<Row<Connected>> | undefined;
  readonly expiresAt: number;
  enteredAt = 0;
  startedAt = 0;
  readonly byHand = false;

  /** The call on the wire, from when it is picked; then the last one. */
  protected wire: WireCall | undefined = undefined;

  private state: State = NEW;
  private row: Row<Connected> | undefined = undefined;
  private connection: Connection | undefined = undefined;
  private attempts = 0;
  private failed: Failed | undefined = undefined;
  private firstMessageAt = 0;
  /** Response headers have come: there is no other attempt after this one (gRFC A6). */
  private committed = false;
  /** This side ends the call: how it ends says nothing of the server. */
  private cancelled = false;

  constructor(
    protected readonly host: CallHost,
    protected readonly init: CallInit,
  ) {
    super('EvenkeelCall');
    this.key = init.key;
    this.group = init.group;
    this.exclude = init.beside;
    this.expiresAt = init.expiresAt;
  }

  /** Sends all that the call has sent so far on a new wire. */
  protected abstract sendAll(wire: WireCall): void;
  /** Whether {@link sendAll} still can. */
  protected abstract sendable(): boolean;
  /** The attempt is over, nothing has come of it, and another follows. */
  protected rewind(): void {}
  /** The headers of the response, once. */
  protected abstract hearHeaders(headers: () => Metadata): void;
  /** How the call ended. Once, and never from within {@link begin} or {@link cancelWithStatus}. */
  protected abstract deliver(status: CallStatus): void;
  /** Known to be unary: its latency is the whole call; others' is to the first message. */
  abstract get unary(): boolean;

  abstract onMessage(message: Buffer): void;

  onHeaders(headers: () => Metadata): void {
    this.committed = true;
    this.hearHeaders(headers);
  }

  onStatus(status: WireStatus): void {
    if (this.state !== OPEN) return;
    const { init, host, failed } = this;
    const now = host.clock.now();
    const end = this.attemptEnd(status, now);
    const outcome = attemptOutcome(
      end,
      {
        retry: init.policy.retry,
        failures: failed?.attempts ?? 0,
        committed: this.committed || this.cancelled || (end.code !== Status.OK && !this.sendable()),
        last: host.closed || now >= this.expiresAt,
      },
      () => host.budget.tryRetry(now),
      host.random,
    );
    this.release(end, now);
    this.publishEnd(end.code, outcome.kind, now);
    if (outcome.kind === 'end') {
      this.state = OVER;
      this.deliver(end.code === status.code ? status : { ...status, code: end.code });
    } else {
      this.runInAsyncScope(this.goOn, this, status, outcome.kind === 'retry' ? outcome.afterMs : undefined);
    }
  }

  /** The address of the server that has the call, or had it last. */
  get address(): string | undefined {
    return this.row?.endpoint.address;
  }

  /** The row that has the call now; undefined while it waits. */
  get pickedRow(): Row<Connected> | undefined {
    return this.state === OPEN ? this.row : undefined;
  }

  get path(): string {
    return this.init.path;
  }

  /** The full method name, for those who compare latencies. */
  get method(): string {
    return this.init.path;
  }

  get over(): boolean {
    return this.state === OVER;
  }

  cancelWithStatus(code: number, details: string, cause?: unknown): void {
    if (this.state === OVER) return;
    this.cancelled = true;
    // The wire tells of the end, in its own time.
    if (this.state === OPEN) {
      this.wire?.cancel(code, details);
      return;
    }
    if (this.state.kind === 'waiting') this.host.leave(this);
    this.fail(code, details, cause);
  }

  granted(row: Row<Connected>): void {
    this.stopWaiting();
    this.runInAsyncScope(this.open, this, row);
  }

  refused(error: BalancerError): void {
    if (this.state !== OVER) this.fail(error.status, error.message, error);
  }

  cut(details: string): void {
    // Not a cancellation by the caller: a call that was never sent goes elsewhere.
    this.wire?.cancel(Status.UNAVAILABLE, details);
  }

  /** Sets out, in the turn of whoever makes the call. */
  protected begin(): void {
    const { host, init } = this;
    this.arrival = host.arrive();
    this.enteredAt = host.clock.now();
    // What stubs make of nothing can be sent.
    if (init.metadata !== NO_METADATA || init.authority !== undefined) {
      try {
        refuseUnsendable(init);
      } catch (thrown) {
        this.refused(asBalancerError(thrown));
        return;
      }
    }
    if (this.expiresAt <= this.enteredAt) {
      this.fail(Status.DEADLINE_EXCEEDED, 'Deadline exceeded before the call was sent', undefined);
    } else {
      host.budget.called(this.enteredAt);
      this.acquire();
    }
  }

  /** For subclasses to call on every message. */
  protected messageCame(): void {
    if (this.firstMessageAt === 0 && !this.unary) this.firstMessageAt = this.host.clock.now();
  }

  /** Goes on a row with room, or waits for one. */
  private acquire(): void {
    const row = this.tryPick();
    if (row !== undefined) {
      this.open(row);
    } else if (this.state === OVER) {
      // The pool refused it.
    } else if (this.init.beside !== undefined) {
      this.fail(Status.UNAVAILABLE, 'no other endpoint has room', undefined);
    } else {
      this.wait();
    }
  }

  /** A row with room, counted; undefined also when the pool refuses the call, which is over then. */
  private tryPick(): Row<Connected> | undefined {
    try {
      return this.host.tryPick(this);
    } catch (thrown) {
      this.refused(asBalancerError(thrown));
      return undefined;
    }
  }

  private wait(): void {
    try {
      this.host.wait(this);
    } catch (thrown) {
      this.refused(asBalancerError(thrown));
      return;
    }
    this.state = { kind: 'waiting', stopTimers: this.expireAtDeadline() };
  }

  private open(row: Row<Connected>): void {
    const connection = row.link!.connection!.hold(this);
    this.state = OPEN;
    this.row = row;
    this.connection = connection;
    this.startedAt = this.now;
    this.attempts++;
    if (attemptDiagnostics.attemptStart.hasSubscribers) {
      attemptDiagnostics.attemptStart.publish(this.attemptMessage());
    }
    try {
      this.wire = connection.start(this.attemptStart(), this.attemptTimeoutMs(), this);
      this.sendAll(this.wire);
    } catch (thrown) {
      // Against the contract of a transport. It costs this call; no row, and no other call.
      this.broken(asBalancerError(thrown));
    }
  }

  /** Of an attempt that was not started, nothing has been sent; one that was is to be ended. */
  private broken({ message }: BalancerError): void {
    if (this.wire !== undefined) {
      this.cancelWithStatus(Status.INTERNAL, message);
      return;
    }
    const status = { ...ownStatus(Status.INTERNAL, message), reached: 'unsendable' } as const;
    queueMicrotask(() => this.onStatus(status));
  }

  private attemptTimeoutMs(): number {
    const perAttempt = this.init.policy.retry?.perAttemptTimeoutMs ?? Number.POSITIVE_INFINITY;
    if (this.expiresAt === Number.POSITIVE_INFINITY) return perAttempt;
    return Math.min(this.expiresAt - this.startedAt, perAttempt);
  }

  private attemptStart(): CallStart {
    const { init, failed } = this;
    const previous = (failed?.attempts ?? 0) + (init.beside === undefined ? 0 : 1);
    if (previous === 0) return init;
    const metadata = init.metadata.clone();
    metadata.set(PREVIOUS_ATTEMPTS, String(previous));
    return { ...init, metadata };
  }

  /** What the wire says of the end, with what only the call can know of it. */
  private attemptEnd({ code, reached, metadata }: WireStatus, now: number): AttemptEnd {
    if (code === Status.OK) return { code, reached, timedOut: false };
    const timedOut =
      now - this.startedAt >= (this.init.policy.retry?.perAttemptTimeoutMs ?? Number.POSITIVE_INFINITY);
    // grpc-go's client does the same (http2_client.go, handleRSTStream).
    const byDeadline =
      code === Status.CANCELLED && !this.cancelled && (timedOut || now >= this.expiresAt - DEADLINE_SLACK_MS);
    const pushback = metadata.get(PUSHBACK)[0]?.toString();
    return { code: byDeadline ? Status.DEADLINE_EXCEEDED : code, reached, timedOut, pushback };
  }

  /** After an attempt that is not the last. */
  private goOn(status: WireStatus, afterMs: number | undefined): void {
    this.rewind();
    this.wire = undefined;
    this.failed ??= { rows: new Set(this.init.beside), attempts: 0, refusals: 0, rounds: 0 };
    this.exclude = this.failed.rows.add(this.row!);
    if (afterMs === undefined) {
      this.goElsewhere(status, this.failed);
    } else {
      this.failed.attempts++;
      this.backOff(afterMs);
    }
  }

  /**
   * To another subchannel at once when one has room, and into the queue at its old place when none has. When only those
   * that refused it have room, or so many have refused it at once that all may, it goes on after a back-off, a few times.
   */
  private goElsewhere(status: WireStatus, failed: Failed): void {
    if (++failed.refusals % MAX_AT_ONCE !== 0) {
      const row = this.tryPick();
      if (row !== undefined) this.open(row);
      if (this.state === OVER || row !== undefined) return;
    }
    if (this.init.beside === undefined && !this.couldBePicked()) {
      this.exclude = undefined;
      this.acquire();
    } else if (this.init.beside !== undefined || ++failed.rounds > MAX_ROUNDS) {
      this.state = OVER;
      this.deliver(status);
    } else {
      this.backOff(backoffMs(ROUND_BACKOFF, failed.rounds, this.host.random));
    }
  }

  /** Whether one that has refused it has room. */
  private couldBePicked(): boolean {
    const { exclude } = this;
    this.exclude = undefined;
    try {
      return this.host.couldPick(this);
    } catch {
      // It will be thrown again where it is to be handled.
      return false;
    } finally {
      this.exclude = exclude;
    }
  }

  private backOff(ms: number): void {
    const stopExpiry = this.expireAtDeadline();
    const stopBackOff = this.host.clock.after(ms, () => this.runInAsyncScope(this.tryAgain, this));
    this.host.backingOff.add(this);
    this.state = {
      kind: 'backing-off',
      stopTimers: () => {
        stopExpiry();
        stopBackOff();
      },
    };
  }

  /** On a subchannel that has not failed the call, if there is one with room; on any other else. */
  private tryAgain(): void {
    this.stopWaiting();
    const row = this.tryPick();
    if (row !== undefined) {
      this.open(row);
    } else if (this.state !== OVER) {
      this.exclude = this.init.beside;
      this.acquire();
    }
  }

  private expireAtDeadline(): () => void {
    const { clock } = this.host;
    // Without a deadline, too: whoever waits for a server keeps the process alive.
    return clock.after(Math.min(this.expiresAt - clock.now(), FOR_EVER_MS), () => {
      const cause = this.host.explain(clock.now() - this.enteredAt);
      this.cancelWithStatus(Status.DEADLINE_EXCEEDED, cause.message, cause);
    });
  }

  /** It waits for nothing any more. Harmless when it does not. */
  private stopWaiting(): void {
    const { state } = this;
    if (state.kind === 'waiting' || state.kind === 'backing-off') state.stopTimers();
    if (state.kind === 'backing-off') this.host.backingOff.delete(this);
  }

  /** Ends the pick: counts the call off the row. */
  private release(end: AttemptEnd, now: number): void {
    const { connection, row, host, method } = this;
    this.connection = undefined;
    connection!.release(this);
    const { code } = end;
    if (end.reached === 'unsendable' || wasNotProcessed(end)) {
      host.finish(row!, { code, method, blameless: end.reached === 'unsendable' });
    } else {
      const until = this.firstMessageAt > 0 ? this.firstMessageAt : now;
      host.finish(row!, { code, latencyMs: until - this.startedAt, method, blameless: this.cancelled });
    }
  }

  private attemptMessage(): AttemptMessage {
    const { path, beside } = this.init;
    const { address } = this.row!.endpoint;
    return { service: this.host.service, path, address, attempt: this.attempts, hedge: beside !== undefined };
  }

  private publishEnd(code: number, outcome: 'end' | 'elsewhere' | 'retry', now: number): void {
    if (!attemptDiagnostics.attemptEnd.hasSubscribers) return;
    const then = outcome === 'elsewhere' ? 'repick' : outcome;
    const durationMs = now - this.startedAt;
    attemptDiagnostics.attemptEnd.publish({ ...this.attemptMessage(), code, durationMs, then });
  }

  /** Ends a call that is on no row. */
  private fail(code: number, details: string, cause: unknown): void {
    this.stopWaiting();
    this.state = OVER;
    queueMicrotask(() => this.deliver(ownStatus(code, details, cause)));
  }
}
