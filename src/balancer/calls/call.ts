import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { AttemptFailed, backoffMs, retryAfter } from '../../base/backoff.js';
import { type BalancerError, Status } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import type { Request } from '../core/dispatcher.js';
import type { Row } from '../table/row.js';
import type {
  CallListener,
  CallStart,
  Connection,
  Holder,
  WireCall,
  WireStatus,
} from '../transport/transport.js';
import type { CallHost, CallInit, CallStatus, Connected } from './call-host.js';
import { type AttemptMessage, attemptDiagnostics } from './diagnostics.js';

/** Rounds over subchannels that all refused a call, after which it gives up (gRFC A6 allows 5 attempts). */
const MAX_ROUNDS = 5;
/** Subchannels that may refuse a call one right after the other: more would keep the process from all else. */
const MAX_AT_ONCE = 32;
const ROUND_BACKOFF = { baseMs: 20, maxMs: 1_000 };
/** Attempts when not even a stream could be started: the connection may be gone, or the headers be unsendable. */
const MAX_NOT_STARTED = 3;
/** gRFC A6: which attempt this is, and when the server wants the next. */
const PREVIOUS_ATTEMPTS = 'grpc-previous-rpc-attempts';
const PUSHBACK = 'grpc-retry-pushback-ms';

type Phase = 'new' | 'waiting' | 'backing-off' | 'open' | 'ended';

/**
 * The one call starter: under stubs, generated clients and channels alike. It picks or waits, opens the call on the
 * wire, counts it, picks again when the call provably never reached a server, and tries again when that is declared.
 *
 * One object is all of it: the request to the dispatcher, the member of the wait queue, the holder of the connection
 * and the wire's listener. Subclasses know what has been sent ({@link replay}) and where answers go
 * ({@link headersCame}, `onMessage`, {@link settle}).
 */
export abstract class PickedCall implements Request<Connected>, Holder, CallListener {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  arrival = 0;
  now = 0;
  readonly key: string | undefined;
  readonly group: string | undefined;
  exclude: ReadonlySet<Row<Connected>> | undefined;

  /** The call on the wire, from when it is picked; after the end, the last one. */
  protected wire: WireCall | undefined = undefined;

  readonly byHand = false;
  enteredAt = 0;
  expiresAt = Number.POSITIVE_INFINITY;
  startedAt = 0;

  private phase: Phase = 'new';
  private cancelled = false;
  private row: Row<Connected> | undefined = undefined;
  private connection: Connection | undefined = undefined;
  private firstMessageAt = 0;
  /** The server has sent something: this attempt has reached it. */
  private answered = false;
  /** A message has been handed on: there is no other attempt after this one. */
  private responded = false;
  /** Headers of an attempt that may yet be followed by another. */
  private heldHeaders: Metadata | undefined = undefined;
  private attempts = 0;
  /** Attempts that failed, though a server may have seen them. */
  private failures = 0;
  /** What has failed this call. */
  private tried: Set<Row<Connected>> | undefined = undefined;
  private atOnce = 0;
  private rounds = 0;
  private notStarted = 0;
  /** The later attempts, once there are any. */
  private later: { readonly stop: AbortController; reject: (failure: AttemptFailed) => void } | undefined =
    undefined;
  private cancelTimer: (() => void) | undefined = undefined;

  constructor(
    protected readonly host: CallHost,
    protected readonly init: CallInit,
  ) {
    this.key = init.key;
    this.group = init.group;
    this.exclude = init.beside;
  }

  /** Sends all that the call has sent so far on a new wire. Called synchronously when a wire is there. */
  protected abstract replay(wire: WireCall): void;
  /** Whether {@link replay} still can. */
  protected abstract replayable(): boolean;
  /** The wire is lost; another may follow, by {@link replay}. */
  protected closed(): void {}
  /** The headers of the response, once: those of the attempt that counts. */
  protected abstract headersCame(headers: Metadata): void;
  /** The end of the call. Called once, never synchronously from {@link begin} or {@link cancelWithStatus}. */
  protected abstract settle(status: CallStatus): void;
  /** Known to be unary: its latency is the whole call; others' is to the first message. */
  abstract get unary(): boolean;

  abstract onMessage(message: Buffer): void;

  onHeaders(headers: Metadata): void {
    this.answered = true;
    if (this.init.policy.retry === undefined) this.headersCame(headers);
    else this.heldHeaders = headers;
  }

  onStatus(status: WireStatus): void {
    if (this.phase !== 'open') return;
    const unsent = !this.answered && neverSent(status);
    this.release(status.code, unsent);
    if (!this.cancelled && this.replayable()) {
      if (unsent && this.worthAnother(status)) {
        this.publishEnd(status.code, 'repick');
        this.lost();
        this.pickAgain(status);
        return;
      }
      const waitMs = this.retryWaitMs(status);
      if (waitMs !== undefined) {
        this.publishEnd(status.code, 'retry');
        this.failures++;
        this.lost();
        this.tryLater(new AttemptFailed(status.details, waitMs));
        return;
      }
    }
    this.publishEnd(status.code, 'end');
    this.end(status);
  }

  /** The address of the server that has the call, or had it last. */
  get address(): string | undefined {
    return this.row?.endpoint.address;
  }

  /** The row that has the call now; undefined while it waits. */
  get pickedRow(): Row<Connected> | undefined {
    return this.phase === 'open' ? this.row : undefined;
  }

  get deadline(): number {
    return this.init.deadline;
  }

  get method(): string {
    return this.init.path;
  }

  get ended(): boolean {
    return this.phase === 'ended';
  }

  cancelWithStatus(code: number, details: string, cause?: unknown): void {
    this.cancelled = true;
    if (this.phase === 'open') {
      // The wire tells of the end, in its own time.
      this.wire!.cancel(code, details);
      return;
    } else if (this.phase === 'waiting') {
      this.host.leave(this);
    } else if (this.phase === 'ended') {
      return;
    }
    this.fail(code, details, cause);
  }

  granted(row: Row<Connected>): void {
    this.stopTimer();
    this.open(row);
  }

  refused(error: BalancerError): void {
    this.fail(error.status, error.message, error);
  }

  cut(details: string): void {
    // Not a cancellation by the caller: a call that was never sent goes elsewhere.
    this.wire?.cancel(Status.UNAVAILABLE, details);
  }

  protected begin(): void {
    const { host } = this;
    this.arrival = host.arrive();
    this.enteredAt = host.clock.now();
    host.budget.called(this.enteredAt);
    this.acquire();
  }

  /** For subclasses to call on every message. That of a unary call is handed on at the end, if it is a good one. */
  protected messageCame(): void {
    this.answered = true;
    if (this.responded || this.unary) return;
    this.responded = true;
    this.firstMessageAt = this.host.clock.now();
    this.tellHeaders();
  }

  private acquire(): void {
    try {
      if (this.openIfThereIsRoom()) return;
      if (this.init.beside !== undefined) {
        this.fail(Status.UNAVAILABLE, 'no other endpoint has room', undefined);
        return;
      }
      const { clock } = this.host;
      this.expiresAt = clock.now() + this.init.deadline - clock.epochNow();
      this.host.wait(this);
    } catch (thrown) {
      this.refused(thrown as BalancerError);
      return;
    }
    this.phase = 'waiting';
    this.expireAtDeadline();
  }

  private openIfThereIsRoom(): boolean {
    const row = this.host.tryPick(this);
    if (row === undefined) return false;
    this.open(row);
    return true;
  }

  private open(row: Row<Connected>): void {
    const connection = row.link!.connection!.hold(this);
    this.phase = 'open';
    this.row = row;
    this.connection = connection;
    this.startedAt = this.now;
    this.answered = false;
    this.attempts++;
    if (attemptDiagnostics.attemptStart.hasSubscribers)
      attemptDiagnostics.attemptStart.publish(this.attemptMessage());
    const wire = connection.start(this.attemptStart(), this.attemptTimeoutMs(), this);
    this.wire = wire;
    this.replay(wire);
  }

  private attemptTimeoutMs(): number {
    const { deadline, policy } = this.init;
    const perAttempt = policy.retry?.perAttemptTimeoutMs ?? Number.POSITIVE_INFINITY;
    if (deadline === Number.POSITIVE_INFINITY) return perAttempt;
    return Math.min(deadline - this.host.clock.epochNow(), perAttempt);
  }

  private attemptStart(): CallStart {
    const { init, failures } = this;
    const previous = failures + (init.beside === undefined ? 0 : 1);
    if (previous === 0) return init;
    const metadata = init.metadata.clone();
    metadata.set(PREVIOUS_ATTEMPTS, String(previous));
    return { ...init, metadata };
  }

  /** Whether a call that was never sent may do better on another subchannel. */
  private worthAnother({ code, reached }: WireStatus): boolean {
    if (reached === 'unsendable') return false;
    return code === Status.UNAVAILABLE || ++this.notStarted < MAX_NOT_STARTED;
  }

  /** How long to wait before this attempt is followed by another; undefined when it is not. */
  private retryWaitMs({ code, metadata }: StatusObject): number | undefined {
    const { policy, deadline } = this.init;
    const { retry } = policy;
    if (retry === undefined || this.responded || this.failures + 1 >= retry.maxAttempts) return undefined;
    const { clock, random, budget, closed } = this.host;
    if (closed) return undefined;
    const timedOut =
      code === Status.DEADLINE_EXCEEDED && retry.perAttemptTimeoutMs !== Number.POSITIVE_INFINITY;
    if (!timedOut && !retry.codes.has(code)) return undefined;
    if (clock.epochNow() >= deadline) return undefined;
    const [pushback] = metadata.get(PUSHBACK);
    const pushbackMs = pushback === undefined ? undefined : Number(pushback);
    if (pushbackMs !== undefined && !(Number.isInteger(pushbackMs) && pushbackMs >= 0)) return undefined;
    if (!budget.tryRetry(clock.now())) return undefined;
    return pushbackMs ?? backoffMs(retry.backoff, this.failures + 1, random);
  }

  /** The attempt is over, and is not the last. */
  private lost(): void {
    this.closed();
    this.wire = undefined;
    this.heldHeaders = undefined;
    this.tried ??= new Set(this.init.beside);
    this.exclude = this.tried.add(this.row!);
  }

  /**
   * Goes to another subchannel at once when one has room, and queues at its old place when none has. When only those
   * that refused it have room, or so many have refused it at once that all may, it goes on after a back-off, a few times.
   */
  private pickAgain(status: StatusObject): void {
    const { exclude } = this;
    try {
      if (++this.atOnce % MAX_AT_ONCE !== 0 && this.openIfThereIsRoom()) return;
      if (this.init.beside !== undefined) {
        this.end(status);
        return;
      }
      this.exclude = undefined;
      if (!this.host.couldPick(this)) {
        this.acquire();
        return;
      }
      this.exclude = exclude;
    } catch (thrown) {
      this.refused(thrown as BalancerError);
      return;
    }
    if (++this.rounds > MAX_ROUNDS) this.end(status);
    else
      this.tryLater(
        new AttemptFailed(status.details, backoffMs(ROUND_BACKOFF, this.rounds, this.host.random)),
      );
  }

  /** Another attempt after a wait: p-retry, from the second attempt on. */
  private tryLater(failure: AttemptFailed): void {
    this.phase = 'backing-off';
    this.host.backingOff.add(this);
    this.expireAtDeadline();
    if (this.later !== undefined) {
      this.later.reject(failure);
      return;
    }
    const stop = new AbortController();
    const later = { stop, reject: (_: AttemptFailed) => {} };
    this.later = later;
    const attempt = () =>
      new Promise<void>((resolve, reject) => {
        later.reject = reject;
        stop.signal.addEventListener('abort', () => resolve(), { once: true });
        this.attemptAgain();
      });
    void retryAfter(failure, attempt, { clock: this.host.clock, signal: stop.signal });
  }

  /** On a subchannel that has not failed the call, if there is one with room; on any other else. */
  private attemptAgain(): void {
    this.stopTimer();
    this.host.backingOff.delete(this);
    try {
      if (this.openIfThereIsRoom()) return;
    } catch (thrown) {
      this.refused(thrown as BalancerError);
      return;
    }
    this.exclude = this.init.beside;
    this.acquire();
  }

  private expireAtDeadline(): void {
    const { clock } = this.host;
    const { deadline } = this.init;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.cancelTimer = clock.after(deadline - clock.epochNow(), () => {
      this.cancelTimer = undefined;
      const cause = this.host.explain(clock.now() - this.enteredAt);
      this.cancelWithStatus(Status.DEADLINE_EXCEEDED, cause.message, cause);
    });
  }

  /** Ends the pick: counts the call off the row. */
  private release(code: number, unsent: boolean): void {
    const { connection, row, host } = this;
    this.connection = undefined;
    connection!.release(this);
    if (unsent) {
      host.finish(row!, { code });
      return;
    }
    const until = this.firstMessageAt > 0 ? this.firstMessageAt : host.clock.now();
    host.finish(row!, { code, latencyMs: until - this.startedAt, method: this.method });
  }

  private attemptMessage(): AttemptMessage {
    const { path, beside } = this.init;
    const { address } = this.row!.endpoint;
    return { service: this.host.service, path, address, attempt: this.attempts, hedge: beside !== undefined };
  }

  private publishEnd(code: number, then: 'end' | 'repick' | 'retry'): void {
    if (!attemptDiagnostics.attemptEnd.hasSubscribers) return;
    const durationMs = this.host.clock.now() - this.startedAt;
    attemptDiagnostics.attemptEnd.publish({ ...this.attemptMessage(), code, durationMs, then });
  }

  private fail(code: number, details: string, cause: unknown): void {
    this.over();
    queueMicrotask(() => this.settle({ code, details, metadata: new Metadata(), cause }));
  }

  private end(status: StatusObject): void {
    this.over();
    this.tellHeaders();
    this.settle(status);
  }

  private over(): void {
    this.stopTimer();
    this.phase = 'ended';
    if (this.later === undefined) return;
    this.host.backingOff.delete(this);
    this.later.stop.abort();
  }

  private tellHeaders(): void {
    const headers = this.heldHeaders;
    if (headers === undefined) return;
    this.heldHeaders = undefined;
    this.headersCame(headers);
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}

/** Whether the attempt failed before any server can have processed it. Who cancelled it, or let it expire, knows of that. */
function neverSent({ code, reached }: WireStatus): boolean {
  return reached !== 'maybe' && (code === Status.UNAVAILABLE || code === Status.INTERNAL);
}
