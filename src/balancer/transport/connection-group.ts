import { backoffMs } from '../../base/backoff.js';
import type { Clock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { ConnectivityEvent } from '../table/row.js';
import type {
  CallListener,
  CallStart,
  Connection,
  ConnectionEvent,
  Holder,
  Transport,
  WireCall,
} from './transport.js';

const RECONNECT = { baseMs: 250, maxMs: 15_000 };
/** A connection lost within this time of becoming READY counts as a failure, as it does for the table. */
const FLAP_MS = 1_000;
/** How long the first that is READY waits for the others, in milliseconds, before calls are let in. */
const GATHER_MS = 500;

/** How long a connection that was made for a peak has no call before it is closed, at the least, in milliseconds. */
const IDLE_MS = 60_000;

/** How many connections an address has: so many from the start, and up to so many while their servers' limits are reached. */
export interface GroupSize {
  readonly min: number;
  readonly max: number;
}

interface Member {
  /** Undefined while it waits to be made anew. */
  connection: Connection | undefined;
  ready: boolean;
  readyAt: number;
  failures: number;
  /** No call was on it when it was looked at last, and none has come since. */
  idle: boolean;
  cancelTimer: () => void;
}

/**
 * Several connections to each address as one: for servers that limit the streams of a connection. READY while any of
 * them is; a call goes to the one with the fewest. The others are connected when the first one is, and again when they are
 * lost, without the table's knowledge; for a moment, the first one waits for them. When all are at their limits there is
 * another, up to the most, and none of those that are over the least stays without calls (the idea of gRFC A105).
 */
export function connectionGroups(
  transport: Transport,
  size: GroupSize,
  clock: Clock,
  random: Random,
): Transport {
  if (size.max === 1) return transport;
  return (endpoint, listener) =>
    new ConnectionGroup((heard) => transport(endpoint, heard), size, listener, clock, random);
}

class ConnectionGroup implements Connection {
  readonly #members: Member[] = [];
  /** Connections of members that were given up, and on which calls still run. */
  #former: Connection[] = [];
  #limit = Number.POSITIVE_INFINITY;
  /** READY has been told, and nothing else since. */
  #told = false;
  #gathering = false;
  #stopGathering = () => {};
  #stopLooking = () => {};
  #retired = false;

  constructor(
    private readonly make: (heard: (event: ConnectionEvent) => void) => Connection,
    private readonly size: GroupSize,
    private readonly listener: (event: ConnectionEvent) => void,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {
    this.#renew(this.#add());
  }

  connect(): void {
    for (const { connection } of this.#members) connection?.connect();
  }

  start(call: CallStart, timeoutMs: number, listener: CallListener): WireCall {
    return this.#least().start(call, timeoutMs, listener);
  }

  hold(holder: Holder): Connection {
    const held = this.#least().hold(holder);
    if (this.size.max > this.size.min) this.#grow(held);
    return held;
  }

  /** A call is held by a member, and released there. */
  release(): void {}

  /** Of all that are READY together; of none, it is unknown. */
  get streamLimit(): number {
    if (!this.#anyReady()) return Number.POSITIVE_INFINITY;
    let limit = 0;
    for (const { connection, ready } of this.#members) if (ready) limit += connection!.streamLimit;
    return limit;
  }

  get held(): number {
    return this.#connections().reduce((sum, connection) => sum + connection.held, 0);
  }

  retire(): void {
    this.#retired = true;
    this.#cancelGathering();
    this.#stopLooking();
    for (const { connection, cancelTimer } of this.#members) {
      cancelTimer();
      connection?.retire();
    }
  }

  cut(details: string): void {
    for (const connection of this.#connections()) connection.cut(details);
  }

  /** Those of all members, merged. */
  *unansweredCalls(): IterableIterator<Holder> {
    const queues = this.#members.map(({ connection }) =>
      (connection?.unansweredCalls() ?? [])[Symbol.iterator](),
    );
    const heads = queues.map((queue) => queue.next());
    for (;;) {
      let oldest = -1;
      for (const [at, { done, value }] of heads.entries()) {
        if (done !== true && (oldest < 0 || value.startedAt < heads[oldest]!.value.startedAt)) oldest = at;
      }
      if (oldest < 0) return;
      yield heads[oldest]!.value;
      heads[oldest] = queues[oldest]!.next();
    }
  }

  /** Of those that are READY the one with the fewest calls; when none is, the call waits on the first. */
  #least(): Connection {
    let least: Connection | undefined;
    for (const { connection, ready } of this.#members) {
      if (ready && (least === undefined || connection!.held < least.held)) least = connection;
    }
    return least ?? this.#connections()[0]!;
  }

  /** Another connection, when all are READY and have as many calls as their servers let them. */
  #grow(held: Connection): void {
    for (const member of this.#members) if (member.connection === held) member.idle = false;
    if (this.#members.length >= this.size.max || !this.#members.every(({ ready }) => ready)) return;
    if (this.held < this.streamLimit) return;
    if (this.#members.length === this.size.min) this.#lookLater();
    this.#connectAnew(this.#add());
  }

  #lookLater(): void {
    this.#stopLooking = this.clock.after(IDLE_MS, () => this.#shrink(), true);
  }

  /** Closes what a peak has left, once it had no call for as long as from one look to the next. */
  #shrink(): void {
    for (const member of this.#members.slice(this.size.min)) {
      const isIdle = (member.connection?.held ?? 0) === 0;
      if (isIdle && member.idle) this.#leave(member);
      else member.idle = isIdle;
    }
    this.#tellLimit();
    if (this.#members.length > this.size.min) this.#lookLater();
  }

  #leave(member: Member): void {
    this.#members.splice(this.#members.indexOf(member), 1);
    member.cancelTimer();
    member.connection?.retire();
    member.connection = undefined;
  }

  #add(): Member {
    const cancelTimer = () => {};
    const member = { connection: undefined, ready: false, readyAt: 0, failures: 0, idle: false, cancelTimer };
    this.#members.push(member);
    return member;
  }

  #renew(member: Member): void {
    const connection = this.make((event) => {
      if (!this.#retired && member.connection === connection) this.#heard(member, event);
    });
    member.connection = connection;
  }

  #heard(member: Member, event: ConnectionEvent): void {
    if (event.kind !== 'stream-limit') this.#connectivity(member, event);
    this.#tellLimit();
  }

  #tellLimit(): void {
    const limit = this.streamLimit;
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.listener({ kind: 'stream-limit', limit });
  }

  #connectivity(member: Member, event: ConnectivityEvent): void {
    const now = this.clock.now();
    member.ready = event.kind === 'ready';
    if (event.kind === 'ready') {
      member.readyAt = now;
      while (this.#members.length < this.size.min) this.#connectAnew(this.#add());
    } else if (!this.#anyReady()) {
      this.#lostAll(event);
      return;
    } else if (event.kind === 'lost' && now - member.readyAt >= FLAP_MS) {
      member.failures = 0;
      member.connection!.connect();
    } else {
      this.#retryLater(member);
    }
    this.#tellWhenGathered();
  }

  /** None is READY any more. That it was is only news to whom it has been told. */
  #lostAll(event: ConnectivityEvent): void {
    this.#cancelGathering();
    const wasTold = this.#told;
    this.#told = false;
    if (event.kind === 'lost' && !wasTold) {
      const cause = new BalancerError('CONNECT_FAILED', 'the connection was lost as soon as it was made');
      this.listener({ kind: 'failed', cause });
    } else {
      this.listener(event);
    }
  }

  /**
   * READY is told when every member is, or has failed: whoever has waited for it may start a thousand calls in that turn,
   * which are to find all connections and not the first one. For one that takes long, nobody is kept waiting long.
   */
  #tellWhenGathered(): void {
    if (this.#told) return;
    const gathered = this.#members.every(({ ready, connection }) => ready || connection === undefined);
    if (gathered) this.#tellReady();
    else if (!this.#gathering) {
      this.#gathering = true;
      this.#stopGathering = this.clock.after(GATHER_MS, () => this.#tellReady());
    }
  }

  #tellReady(): void {
    this.#cancelGathering();
    this.#told = true;
    this.listener({ kind: 'ready' });
  }

  #cancelGathering(): void {
    this.#gathering = false;
    this.#stopGathering();
  }

  /** Not the table's affair while another member holds: a failure to make one is tried again like any. */
  #connectAnew(member: Member): void {
    try {
      this.#renew(member);
      member.connection!.connect();
    } catch {
      this.#retryLater(member);
    }
  }

  /** A member that could not connect while another holds: made anew after a while. */
  #retryLater(member: Member): void {
    const { connection } = member;
    member.failures++;
    member.connection = undefined;
    connection?.retire();
    this.#former = [...this.#former, ...(connection ? [connection] : [])].filter(({ held }) => held > 0);
    member.cancelTimer = this.clock.after(backoffMs(RECONNECT, member.failures, this.random), () =>
      this.#connectAnew(member),
    );
  }

  #connections(): Connection[] {
    return [...this.#members.flatMap(({ connection }) => connection ?? []), ...this.#former];
  }

  #anyReady(): boolean {
    return this.#members.some(({ ready }) => ready);
  }
}
