import type { Metadata } from '@grpc/grpc-js';
import { backoffMs } from '../../base/backoff.js';
import { asBalancerError, type BalancerError, Status } from '../../base/errors.js';
import { type AttemptEnd, attemptOutcome, PUSHBACK, wasNotProcessed } from '../core/attempt-outcome.js';
import type { Row } from '../table/row.js';
import type {
  CallListener,
  CallStart,
  Connection,
  Holder,
  WireCall,
  WireStatus,
} from '../transport/transport.js';
import { type Connected, ownStatus } from './call-host.js';
import { type AttemptMessage, publishAttemptEnd, publishAttemptStart } from './diagnostics.js';
import { OPEN, OVER, SeekingCall } from './seeking-call.js';

/** Rounds over subchannels that all refused a call, after which it gives up (gRFC A6 allows 5 attempts). */
const MAX_ROUNDS = 5;
/** Subchannels that may refuse a call one right after the other: more would keep the process from all else. */
const MAX_AT_ONCE = 32;
const ROUND_BACKOFF = { baseMs: 20, maxMs: 1_000 };
/** gRFC A6: which attempt this is. */
const PREVIOUS_ATTEMPTS = 'grpc-previous-rpc-attempts';
/**
 * By how much a deadline may seem to be kept too early, in milliseconds: timers are as inexact as that, and a server keeps
 * the deadline by itself, whose CANCEL is the deadline's then.
 */
const DEADLINE_SLACK_MS = 5;

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
 * One object is all of it: with what a {@link SeekingCall} is, the holder of the connection and the wire's listener.
 * Subclasses know what has been sent ({@link sendAll}) and where answers go ({@link hearHeaders}, `onMessage`,
 * `deliver`).
 *
 * Three words for an end: an attempt is *released*, once, when its pick is counted off its row; a call is *over* when
 * nothing more can come of it; its status is then *delivered*, once.
 */
export abstract class PickedCall extends SeekingCall implements Holder, CallListener {
  startedAt = 0;
  readonly byHand = false;

  /** The call on the wire, from when it is picked; then the last one. */
  protected wire: WireCall | undefined = undefined;

  private row: Row<Connected> | undefined = undefined;
  private connection: Connection | undefined = undefined;
  private attempts = 0;
  private failed: Failed | undefined = undefined;
  private firstMessageAt = 0;
  /** Response headers have come: there is no other attempt after this one (gRFC A6). */
  private committed = false;
  /** This side ends the call: how it ends says nothing of the server. */
  private cancelled = false;

  /** Sends all that the call has sent so far on a new wire. */
  protected abstract sendAll(wire: WireCall): void;
  /** Whether {@link sendAll} still can. */
  protected abstract sendable(): boolean;
  /** The attempt is over, nothing has come of it, and another follows. */
  protected rewind(): void {}
  /** The headers of the response, once. */
  protected abstract hearHeaders(headers: () => Metadata): void;
  /** Known to be unary: its latency is the whole call; others' is to the first message. */
  abstract get unary(): boolean;

  abstract onMessage(message: Buffer): void;

  onHeaders(headers: () => Metadata): void {
    this.committed = true;
    this.hearHeaders(headers);
  }

  onStatus(status: WireStatus): void {
    if (this.state !== OPEN) return;
    const now = this.host.clock.now();
    if (status.code === Status.OK) {
      this.release(status, now);
      this.end(status, now);
    } else {
      this.attemptFailed(status, now);
    }
  }

  private attemptFailed(status: WireStatus, now: number): void {
    const { init, host, failed } = this;
    const end = this.attemptEnd(status, now);
    const outcome = attemptOutcome(
      end,
      {
        retry: init.policy.retry,
        failures: failed?.attempts ?? 0,
        committed: this.committed || this.cancelled || !this.sendable(),
        last: host.closed || now >= this.expiresAt,
      },
      () => host.budget.tryRetry(now),
      host.random,
    );
    this.release(end, now);
    if (outcome.kind === 'end') {
      this.end(end.code === status.code ? status : { ...status, code: end.code }, now);
    } else {
      publishAttemptEnd(this, end.code, outcome.kind, now);
      this.runInAsyncScope(this.goOn, this, status, outcome.kind === 'retry' ? outcome.afterMs : undefined);
    }
  }

  /** The attempt was the last. */
  private end(status: WireStatus, now: number): void {
    publishAttemptEnd(this, status.code, 'end', now);
    this.state = OVER;
    this.deliver(status);
  }

  /** The address of the server that has the call, or had it last. */
  get address(): string | undefined {
    return this.row?.endpoint.address;
  }

  /** The row that has the call now; undefined while it waits. */
  get pickedRow(): Row<Connected> | undefined {
    return this.state === OPEN ? this.row : undefined;
  }

  /** The full method name, for those who compare latencies. */
  get method(): string {
    return this.init.path;
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

  protected expired(cause: BalancerError): void {
    this.cancelWithStatus(Status.DEADLINE_EXCEEDED, cause.message, cause);
  }

  cut(details: string): void {
    // Not a cancellation by the caller: a call that was never sent goes elsewhere.
    this.wire?.cancel(Status.UNAVAILABLE, details);
  }

  /** What those who watch are told of an attempt. */
  describeAttempt(): AttemptMessage {
    const { path, beside } = this.init;
    const { address } = this.row!.endpoint;
    return { service: this.host.service, path, address, attempt: this.attempts, hedge: beside !== undefined };
  }

  /** For subclasses to call on every message. */
  protected messageCame(): void {
    if (this.firstMessageAt === 0 && !this.unary) this.firstMessageAt = this.host.clock.now();
  }

  protected open(row: Row<Connected>): void {
    const connection = row.link!.connection!.hold(this);
    this.state = OPEN;
    this.row = row;
    this.connection = connection;
    this.startedAt = this.now;
    this.attempts++;
    publishAttemptStart(this);
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
    const { retry } = this.init.policy;
    const due = now + DEADLINE_SLACK_MS;
    const timedOut = retry !== undefined && due >= this.startedAt + retry.perAttemptTimeoutMs;
    // grpc-go's client does the same (http2_client.go, handleRSTStream).
    const byDeadline = code === Status.CANCELLED && !this.cancelled && (timedOut || due >= this.expiresAt);
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

  /** Ends the pick: counts the call off the row. */
  private release(end: Pick<AttemptEnd, 'code' | 'reached'>, now: number): void {
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
}
