import type { Request } from '../../balancer/core/dispatcher.js';
import type { Candidate } from '../../balancer/pickers/picker.js';
import type { Row } from '../../balancer/table/row.js';
import type { BalancerError } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import type { Client, SimulatedSubchannel } from './client.js';

/** What an attempt tells of itself. */
export interface AttemptHost {
  /** It has been counted on the row. */
  opened(attempt: Attempt, row: Row<SimulatedSubchannel>): void;
  /** There is no row for it, and none to wait for. */
  refused(attempt: Attempt, error: BalancerError): void;
}

/** A call as its caller sees it: one attempt or several. Kept in a {@link Store}, used again and again. */
export class Call {
  client: Client | undefined = undefined;
  arrivedAt = 0;
  /** When it runs out of time. */
  deadline = Number.POSITIVE_INFINITY;
  key: string | undefined = undefined;
  /** Its place in its client's wait queue. */
  arrival = 0;
  ended = true;
  /** The attempt that counts, unless it is between two tries; and the one made beside it because it was late. */
  first: Attempt | undefined = undefined;
  second: Attempt | undefined = undefined;
  /** Those of the two that may still end well. */
  running = 0;
  /** Tries that failed, and the rows that failed them. */
  failures = 0;
  failedBy: ReadonlySet<Candidate> | undefined = undefined;
  /** How the first ended, when it has. */
  code = 0;
  /** Which of the calls that were kept in this object it is. */
  generation = 0;
  /** Events put down for it that have not come. */
  events = 0;

  constructor(readonly index: number) {}
}

/** Where an attempt is. */
export type AttemptPhase =
  /** Nowhere: it may be used again. */
  | 'idle'
  /** In its client's wait queue. */
  | 'waiting'
  /** On its way to the server, or back. */
  | 'travelling'
  /** In the server's queue. */
  | 'queued'
  | 'served';

/** One try of a call: the request that the dispatcher sees, and the work that the server has with it. */
export class Attempt implements Request<SimulatedSubchannel> {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  arrival = 0;
  now = 0;
  key: string | undefined = undefined;
  readonly group = undefined;
  exclude: ReadonlySet<Candidate> | undefined = undefined;
  enteredAt = 0;
  expiresAt = Number.POSITIVE_INFINITY;

  phase: AttemptPhase = 'idle';
  client: Client | undefined = undefined;
  /** Not to be looked at once it is abandoned: the call may be another by then. */
  call: Call | undefined = undefined;
  row: Row<SimulatedSubchannel> | undefined = undefined;
  /** Its server's index. */
  server = -1;
  /** When it was picked. */
  startedAt = 0;
  /** What is left of its work, in milliseconds at speed 1, as of `resumedAt`; and when it will be done. */
  work = 0;
  resumedAt = 0;
  doneAt = 0;
  /** How it ends, once the server has decided. */
  code = 0;
  /** Its call does not wait for it any more. */
  abandoned = false;
  /** It does not count on its row any more. */
  finished = true;
  /** Which of the attempts that were kept in this object it is. */
  generation = 0;
  /** Events put down for it that have not come: until they have, it is not used again. */
  events = 0;

  constructor(
    readonly index: number,
    private readonly host: AttemptHost,
  ) {}

  granted(row: Row<SimulatedSubchannel>): void {
    this.host.opened(this, row);
  }

  refused(error: BalancerError): void {
    this.host.refused(this, error);
  }
}

/** Objects that are used again, known by index, so that a number can stand for them. Grows to the most in use at once. */
export class Store<T> {
  readonly #all: T[] = [];
  readonly #free: T[] = [];

  constructor(private readonly make: (index: number) => T) {}

  /** How many are in use. */
  get used(): number {
    return this.#all.length - this.#free.length;
  }

  at(index: number): T {
    return this.#all[index]!;
  }

  take(): T {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const made = this.make(this.#all.length);
    this.#all.push(made);
    return made;
  }

  give(item: T): void {
    this.#free.push(item);
  }

  /** Every one, in use or not. */
  [Symbol.iterator](): Iterator<T> {
    return this.#all[Symbol.iterator]();
  }
}
