import { type CallCredentials, type InterceptingListener, Metadata, type StatusObject } from '@grpc/grpc-js';
import { backoffMs } from '../backoff.js';
import type { Clock } from '../clock.js';
import { asError, type BalancerError, Status } from '../errors.js';
import type { Random } from '../random.js';
import type { Request } from './dispatcher.js';
import type { Linked } from './linked-list.js';
import type { Outcome } from './picker.js';
import type { Row } from './row.js';
import type { Connection, Holder, WireCall } from './subchannel.js';

/** What the pool hangs on a row of its table. A row that has been READY has a connection. */
export interface Link {
  connection: Connection | undefined;
  cancelTimer: (() => void) | undefined;
}

/** What a call needs of the pool. */
export interface CallHost {
  readonly clock: Clock;
  readonly random: Random;
  /** The call's place among all calls. */
  arrive(): number;
  /** A row with room, counted; undefined when the call has to wait. Throws BalancerError: CLOSED, PICKER_FAILED. */
  tryPick(request: Request<Link>): Row<Link> | undefined;
  couldPick(request: Request<Link>): boolean;
  /** Lets the call wait. Throws BalancerError: QUEUE_FULL. */
  wait(request: Request<Link>): void;
  /** Takes a waiting call out. */
  leave(request: Request<Link>): void;
  finish(row: Row<Link>, outcome: Outcome): void;
  /** Why a call that waited until its deadline was not picked: DEADLINE or NO_ENDPOINTS. */
  explain(waitedMs: number): BalancerError;
}

/** What a call is started with. */
export interface CallInit {
  readonly path: string;
  /** Milliseconds since the epoch; `Infinity` for none. Fixed when the call enters: waiting counts. */
  readonly deadline: number;
  metadata: Metadata;
  credentials?: CallCredentials | undefined;
  /** Overrides the `:authority` that is sent. */
  readonly host?: string | undefined;
  readonly key?: string | undefined;
  readonly group?: string | undefined;
}

/** How a call ended: the wire's status, or ours with its cause. */
export interface CallStatus extends StatusObject {
  readonly cause?: unknown;
}

/** What a call with one response fails with that ended well without it, as grpc-js has it. */
export function noResponse({ metadata }: CallStatus): CallStatus {
  return { code: Status.UNIMPLEMENTED, details: 'No message received', metadata };
}

/** Attempts on subchannels that all refused it before, after which a call gives up (gRFC A6 allows 5 attempts). */
const MAX_ROUNDS = 5;
/** Attempts when grpc-js could not even start a stream: the connection may be gone, or the headers be unsendable. */
const MAX_NOT_STARTED = 3;
const ROUND_BACKOFF = { baseMs: 20, maxMs: 1_000 };

type Phase = 'new' | 'waiting' | 'backing-off' | 'open' | 'ended';

/**
 * The one call starter: under stubs, generated clients and channels alike. It picks or waits, opens the call on the
 * wire, counts it, and picks again when the call provably never reached a server.
 *
 * One object is all of it: the request to the dispatcher, the member of the wait queue, the holder of the connection
 * and grpc-js's listener. Subclasses know what has been sent ({@link replay}) and where answers go ({@link settle},
 * `onReceiveMetadata`, `onReceiveMessage`).
 */
export abstract class PickedCall implements Request<Link>, Holder, InterceptingListener {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  arrival = 0;
  now = 0;
  readonly key: string | undefined;
  readonly group: string | undefined;
  exclude: Set<Row<Link>> | undefined = undefined;

  /** The call on the wire, from when it is picked; after the end, the last one. */
  protected wire: WireCall | undefined = undefined;
  /** The server has answered: it is this server's call now. */
  protected answered = false;

  private phase: Phase = 'new';
  private cancelled = false;
  private row: Row<Link> | undefined = undefined;
  private connection: Connection | undefined = undefined;
  private enteredAt = 0;
  private startedAt = 0;
  private firstMessageAt = 0;
  private rounds = 0;
  private notStarted = 0;
  private cancelTimer: (() => void) | undefined = undefined;

  constructor(
    protected readonly host: CallHost,
    protected readonly init: CallInit,
  ) {
    this.key = init.key;
    this.group = init.group;
  }

  /** Sends all that the call has sent so far on a new wire. Called synchronously when a wire is there. */
  protected abstract replay(wire: WireCall): void;
  /** The wire is lost; another follows, by {@link replay}. */
  protected closed(): void {}
  /** Whether {@link replay} still can. */
  protected abstract replayable(): boolean;
  /** The end of the call. Called once, never synchronously from {@link begin} or {@link cancelWithStatus}. */
  protected abstract settle(status: CallStatus): void;
  /** What a latency is for this kind of call: to the first message, or to the end. */
  protected abstract get streaming(): boolean;

  abstract onReceiveMessage(message: Buffer): void;

  onReceiveMetadata(_metadata: Metadata): void {
    this.answered = true;
  }

  /** The address of the server that has the call. */
  get address(): string | undefined {
    return this.row?.endpoint.address;
  }

  get path(): string {
    return this.init.path;
  }

  get ended(): boolean {
    return this.phase === 'ended';
  }

  /** For subclasses to call on the first message of a stream, which is when its latency is known. */
  protected messageCame(): void {
    this.answered = true;
    if (this.firstMessageAt === 0) this.firstMessageAt = this.host.clock.now();
  }

  protected begin(): void {
    this.arrival = this.host.arrive();
    this.acquire();
  }

  cancelWithStatus(code: number, details: string, cause?: unknown): void {
    this.cancelled = true;
    if (this.phase === 'open') {
      if (this.wire !== undefined) {
        // The wire tells of the end, in its own time.
        this.wire.cancelWithStatus(code, details);
        return;
      }
      this.release(code, true);
    } else if (this.phase === 'waiting') {
      this.host.leave(this);
    } else if (this.phase === 'ended') {
      return;
    }
    this.fail(code, details, cause);
  }

  granted(row: Row<Link>): void {
    this.stopTimer();
    this.open(row);
  }

  refused(error: BalancerError): void {
    this.fail(error.status, error.message, error);
  }

  cut(details: string): void {
    // Not a cancellation by the caller: a call that was never sent goes elsewhere.
    this.wire?.cancelWithStatus(Status.UNAVAILABLE, details);
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.phase !== 'open') return;
    const unsent = !this.answered && this.neverSent(status);
    const row = this.row!;
    this.release(status.code, unsent);
    if (unsent && !this.cancelled && this.replayable()) this.pickAgain(row, status);
    else this.end(status);
  }

  private acquire(): void {
    try {
      const row = this.host.tryPick(this);
      if (row !== undefined) {
        if (this.enteredAt === 0) this.enteredAt = this.now;
        this.open(row);
        return;
      }
      if (this.enteredAt === 0) this.enteredAt = this.host.clock.now();
      this.host.wait(this);
    } catch (thrown) {
      this.refused(thrown as BalancerError);
      return;
    }
    this.phase = 'waiting';
    const { deadline } = this.init;
    if (deadline !== Number.POSITIVE_INFINITY) {
      this.cancelTimer = this.host.clock.after(deadline - this.host.clock.epochNow(), () => this.expired());
    }
  }

  private expired(): void {
    this.cancelTimer = undefined;
    const cause = this.host.explain(this.host.clock.now() - this.enteredAt);
    this.cancelWithStatus(Status.DEADLINE_EXCEEDED, cause.message, cause);
  }

  private open(row: Row<Link>): void {
    const connection = row.link!.connection!;
    this.phase = 'open';
    this.row = row;
    this.connection = connection;
    this.startedAt = this.now;
    this.firstMessageAt = 0;
    connection.hold(this);
    const { path, deadline, host, credentials, metadata } = this.init;
    try {
      const wire = connection.createCall(path, deadline, host, null, null);
      if (credentials !== undefined) wire.setCredentials(credentials);
      this.wire = wire;
      wire.start(metadata, this);
      this.replay(wire);
    } catch (thrown) {
      // The channel was shut: nothing has been sent. Told like any status, but never from within the caller's turn.
      const details = asError(thrown).message;
      this.wire = undefined;
      queueMicrotask(() =>
        this.onReceiveStatus({ code: Status.UNAVAILABLE, details, metadata: new Metadata() }),
      );
    }
  }

  /**
   * The two tests that no server can fake: grpc-js never gave the call a stream (its peer is still the target's name),
   * or a stream was refused before any header came back. Any other failure may have been processed.
   */
  private neverSent({ code, details, metadata }: StatusObject): boolean {
    if (code !== Status.UNAVAILABLE && code !== Status.INTERNAL) return false;
    if (this.wire === undefined || this.wire.getPeer() === this.connection!.target) {
      return code === Status.UNAVAILABLE || ++this.notStarted < MAX_NOT_STARTED;
    }
    return (
      code === Status.UNAVAILABLE &&
      details === 'Stream refused by server' &&
      Object.keys(metadata.getMap()).length === 0
    );
  }

  /**
   * Goes to another subchannel at once when one has room, and queues at its old place when none has. When only those
   * that refused it have room, it tries them again after a back-off, a few times.
   */
  private pickAgain(refusedBy: Row<Link>, status: StatusObject): void {
    this.wire = undefined;
    this.closed();
    const exclude = this.exclude ?? new Set();
    this.exclude = exclude.add(refusedBy);
    try {
      if (this.openElsewhere()) return;
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
    else this.backOff();
  }

  private openElsewhere(): boolean {
    const row = this.host.tryPick(this);
    if (row === undefined) return false;
    this.open(row);
    return true;
  }

  private backOff(): void {
    const { clock, random } = this.host;
    const left = this.init.deadline - clock.epochNow();
    const wait = backoffMs(ROUND_BACKOFF, this.rounds, random);
    this.phase = 'backing-off';
    this.cancelTimer = clock.after(Math.min(left, wait), () => {
      if (left <= wait) {
        this.expired();
        return;
      }
      this.cancelTimer = undefined;
      try {
        if (this.openElsewhere()) return;
      } catch (thrown) {
        this.refused(thrown as BalancerError);
        return;
      }
      this.exclude = undefined;
      this.acquire();
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
    const until = this.streaming && this.firstMessageAt > 0 ? this.firstMessageAt : host.clock.now();
    host.finish(row!, { code, latencyMs: until - this.startedAt });
  }

  private fail(code: number, details: string, cause: unknown): void {
    const metadata = new Metadata();
    this.stopTimer();
    this.phase = 'ended';
    const status: CallStatus =
      cause === undefined ? { code, details, metadata } : { code, details, metadata, cause };
    queueMicrotask(() => this.settle(status));
  }

  private end(status: StatusObject): void {
    this.phase = 'ended';
    this.settle(status);
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
