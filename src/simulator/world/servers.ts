import { Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { NONE, SlotLists } from '../../base/slot-lists.js';
import type { Attempt, Store } from '../clients/calls.js';
import type { ServerPlan } from '../scenario/plan.js';
import { type Agenda, EventKind } from './agenda.js';

/** What the servers tell. */
export interface ServersHost {
  /** The server has decided how the attempt ends, now; its answer leaves it. */
  answers(attempt: Attempt, code: number): void;
  /** So many attempts more wait in queues of servers. */
  queued(change: number): void;
}

/** A fault that makes calls fail. */
export interface FailFault {
  readonly probability: number;
  readonly code: number;
  readonly ms: number;
}

// What is known of a server lies together: of many servers, each is in no near cache when an event comes to it.
const SIZE = 8;
const SPEED = 0;
const LIMIT = 1;
const MAX_QUEUED = 2;
/** How many are served and take a place, and how many wait. */
const SERVING = 3;
const QUEUED = 4;
/** The first of those that are served, and of those that wait. */
const FIRST_SERVED = 5;
const FIRST_QUEUED = 6;
/** What calls take that come now, where a fault fixes it; NaN where none does. */
const FIXED_MS = 7;

/**
 * The servers: some calls served at a time, each with as much work as its distribution draws, the others waiting in
 * order. Work is done at the server's speed, which may change under it: what is left then takes longer, or less long.
 */
export class Servers {
  /** {@link SIZE} numbers a server. */
  readonly #servers: Float64Array;
  /** An attempt is with one server at a time: two sets of lists are enough for all. */
  readonly #served = new SlotLists();
  readonly #waiting = new SlotLists();
  readonly #up: Uint8Array;
  readonly #stopped: Uint8Array;
  readonly #failing = new Map<number, FailFault>();

  constructor(
    private readonly plans: readonly ServerPlan[],
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly attempts: Store<Attempt>,
    private readonly host: ServersHost,
  ) {
    this.#servers = new Float64Array(plans.length * SIZE);
    for (const [server, { speed, concurrency, queue }] of plans.entries()) {
      this.#servers.set([speed, concurrency, queue, 0, 0, NONE, NONE, Number.NaN], server * SIZE);
    }
    this.#up = new Uint8Array(plans.length).fill(1);
    this.#stopped = new Uint8Array(plans.length);
  }

  isUp(server: number): boolean {
    return this.#up[server] === 1;
  }

  isStopped(server: number): boolean {
    return this.#stopped[server] === 1;
  }

  /** An attempt comes in. */
  arrive(attempt: Attempt): void {
    const { server } = attempt;
    if (this.#up[server] === 0) {
      this.host.answers(attempt, Status.UNAVAILABLE);
      return;
    }
    if (attempt.abandoned && this.plans[server]!.stopsWhenCancelled && !this.isStopped(server)) {
      this.host.answers(attempt, Status.CANCELLED);
      return;
    }
    const fault = this.#failing.size === 0 ? undefined : this.#failing.get(server);
    const fails = fault !== undefined && this.random(1_000_000) < fault.probability * 1_000_000;
    attempt.code = fails ? fault.code : Status.OK;
    if (fails) attempt.work = fault.ms;
    else {
      const fixed = this.#servers[server * SIZE + FIXED_MS]!;
      attempt.work = Number.isNaN(fixed) ? this.plans[server]!.service.draw(this.random) : fixed;
    }
    if (fails || this.#servers[server * SIZE + SERVING]! < this.#servers[server * SIZE + LIMIT]!) {
      this.#serve(attempt);
    } else if (this.#servers[server * SIZE + QUEUED]! < this.#servers[server * SIZE + MAX_QUEUED]!) {
      attempt.phase = 'queued';
      this.#servers[server * SIZE + QUEUED]!++;
      this.#servers[server * SIZE + FIRST_QUEUED] = this.#waiting.append(
        this.#servers[server * SIZE + FIRST_QUEUED]!,
        attempt.index,
      );
      this.host.queued(1);
    } else {
      this.host.answers(attempt, Status.RESOURCE_EXHAUSTED);
    }
  }

  /** The event that an attempt's work is done. It comes too early, or too late, where the speed has changed since. */
  done(attempt: Attempt): void {
    if (attempt.phase !== 'served' || attempt.doneAt !== this.agenda.now()) return;
    const { server } = attempt;
    this.#leave(attempt);
    this.host.answers(attempt, attempt.code);
    this.#serveNext(server);
  }

  /** The attempt's client has given it up. */
  cancel(attempt: Attempt): void {
    const { server, phase } = attempt;
    if (!this.plans[server]!.stopsWhenCancelled || this.#stopped[server] === 1) return;
    if (phase === 'served') this.#leave(attempt);
    else if (phase === 'queued') this.#unqueue(attempt);
    else return;
    this.host.answers(attempt, Status.CANCELLED);
    this.#serveNext(server);
  }

  /** The server works at the old speed times this from now on. */
  scaleSpeed(server: number, factor: number): void {
    this.#settle(server, () => {
      this.#servers[server * SIZE + SPEED]! *= factor;
    });
  }

  /**
   * A stopped server stands still; what it had goes on when it goes on, and who has gone meanwhile is noticed then. Its queue
   * is its kernel's, which refuses those for whom it has no room.
   */
  setStopped(server: number, stopped: boolean): void {
    this.#settle(server, () => {
      this.#stopped[server] = stopped ? 1 : 0;
    });
    if (stopped || !this.plans[server]!.stopsWhenCancelled) return;
    const abandoned = [
      ...this.#members(this.#served, this.#servers[server * SIZE + FIRST_SERVED]!),
      ...this.#members(this.#waiting, this.#servers[server * SIZE + FIRST_QUEUED]!),
    ].filter((attempt) => attempt.abandoned);
    for (const attempt of abandoned) this.cancel(attempt);
  }

  /** @param ms - undefined: what the distribution draws. */
  setLatency(server: number, ms: number | undefined): void {
    this.#servers[server * SIZE + FIXED_MS] = ms ?? Number.NaN;
  }

  setFailing(server: number, fault: FailFault | undefined): void {
    if (fault === undefined) this.#failing.delete(server);
    else this.#failing.set(server, fault);
  }

  /** Everything that is with the server fails, and whatever comes until it is up again. */
  setUp(server: number, up: boolean): void {
    this.#up[server] = up ? 1 : 0;
    if (up) return;
    // The first each time: what one answer sets off may take out others.
    for (
      let first = this.#servers[server * SIZE + FIRST_QUEUED]!;
      first !== NONE;
      first = this.#servers[server * SIZE + FIRST_QUEUED]!
    ) {
      const attempt = this.attempts.at(first);
      this.#unqueue(attempt);
      this.host.answers(attempt, Status.UNAVAILABLE);
    }
    for (
      let first = this.#servers[server * SIZE + FIRST_SERVED]!;
      first !== NONE;
      first = this.#servers[server * SIZE + FIRST_SERVED]!
    ) {
      const attempt = this.attempts.at(first);
      this.#leave(attempt);
      this.host.answers(attempt, Status.UNAVAILABLE);
    }
  }

  #serve(attempt: Attempt): void {
    const { server } = attempt;
    attempt.phase = 'served';
    attempt.resumedAt = this.agenda.now();
    if (takesPlace(attempt)) this.#servers[server * SIZE + SERVING]!++;
    this.#servers[server * SIZE + FIRST_SERVED] = this.#served.append(
      this.#servers[server * SIZE + FIRST_SERVED]!,
      attempt.index,
    );
    this.#foresee(attempt);
  }

  #serveNext(server: number): void {
    const first = this.#servers[server * SIZE + FIRST_QUEUED]!;
    if (
      first === NONE ||
      this.#servers[server * SIZE + SERVING]! >= this.#servers[server * SIZE + LIMIT]! ||
      this.#up[server] === 0
    )
      return;
    const attempt = this.attempts.at(first);
    this.#unqueue(attempt);
    this.#serve(attempt);
  }

  #leave(attempt: Attempt): void {
    const { server } = attempt;
    if (takesPlace(attempt)) this.#servers[server * SIZE + SERVING]!--;
    this.#servers[server * SIZE + FIRST_SERVED] = this.#served.remove(
      this.#servers[server * SIZE + FIRST_SERVED]!,
      attempt.index,
    );
    attempt.phase = 'travelling';
  }

  #unqueue(attempt: Attempt): void {
    const { server } = attempt;
    this.#servers[server * SIZE + QUEUED]!--;
    this.#servers[server * SIZE + FIRST_QUEUED] = this.#waiting.remove(
      this.#servers[server * SIZE + FIRST_QUEUED]!,
      attempt.index,
    );
    attempt.phase = 'travelling';
    this.host.queued(-1);
  }

  #speedOf(server: number): number {
    return this.#stopped[server] === 1 ? 0 : this.#servers[server * SIZE + SPEED]!;
  }

  /** Puts down when the attempt will be done, if nothing changes. */
  #foresee(attempt: Attempt): void {
    const speed = this.#speedOf(attempt.server);
    if (speed === 0) {
      attempt.doneAt = Number.POSITIVE_INFINITY;
      return;
    }
    attempt.doneAt = attempt.resumedAt + attempt.work / speed;
    attempt.events++;
    this.agenda.at(attempt.doneAt, EventKind.done, attempt.index);
  }

  *#members(lists: SlotLists, first: number): Generator<Attempt, void, undefined> {
    if (first === NONE) return;
    let index = first;
    do {
      yield this.attempts.at(index);
      index = lists.next(index);
    } while (index !== first);
  }

  /** Books the work that was done at the old speed, and foresees the rest at the new one. */
  #settle(server: number, change: () => void): void {
    const now = this.agenda.now();
    const speed = this.#speedOf(server);
    change();
    if (this.#speedOf(server) === speed) return;
    for (const attempt of this.#members(this.#served, this.#servers[server * SIZE + FIRST_SERVED]!)) {
      attempt.work = Math.max(0, attempt.work - (now - attempt.resumedAt) * speed);
      attempt.resumedAt = now;
      this.#foresee(attempt);
    }
  }
}

/** Not what a fault makes fail: that is not served, and only its answer takes its time. */
function takesPlace({ code }: Attempt): boolean {
  return code === Status.OK;
}
