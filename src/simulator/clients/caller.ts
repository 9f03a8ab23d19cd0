// Over 300 lines: the life of a simulated call is read in one go, as that of a real one in calls/call.ts.
import { attemptOutcome } from '../../balancer/core/attempt-outcome.js';
import type { UnansweredCall } from '../../balancer/core/outlier-detector.js';
import type { HedgeOptions, RetryPolicy } from '../../balancer/core/retry-options.js';
import type { Row } from '../../balancer/table/row.js';
import { type BalancerError, Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Recorder } from '../results/recorder.js';
import type { Distribution } from '../scenario/distribution.js';
import { type Agenda, EventKind } from '../world/agenda.js';
import type { Servers } from '../world/servers.js';
import { Attempt, type AttemptHost, Call, Store } from './calls.js';
import type { Client, SimulatedSubchannel } from './client.js';
import { Deadlines } from './deadlines.js';
import { OpenAttempts } from './open-attempts.js';

export interface CallerOptions {
  readonly timeoutMs: number;
  readonly pendingUntilAnswered: boolean;
  readonly retry: RetryPolicy | undefined;
  readonly hedge: HedgeOptions | undefined;
  /** One way; undefined: none. */
  readonly networkDelay: Distribution | undefined;
}

/**
 * Makes calls, and sees them through: what `call.ts` and `hedge.ts` do in the pool, for unary calls that servers may see
 * twice. Every call ends once, whatever becomes of its attempts.
 */
export class Caller implements AttemptHost {
  readonly calls = new Store((index) => new Call(index));
  readonly attempts: Store<Attempt> = new Store((index) => new Attempt(index, this));
  /** Of calls, and of attempts. */
  readonly deadlines = new Deadlines();
  readonly attemptDeadlines = new Deadlines();
  readonly #open = new OpenAttempts(this.attempts);
  readonly #attemptTimeoutMs: number;
  readonly #budgeted: boolean;
  #servers: Servers | undefined;

  constructor(
    private readonly options: CallerOptions,
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly recorder: Recorder,
  ) {
    this.#attemptTimeoutMs = options.retry?.perAttemptTimeoutMs ?? Number.POSITIVE_INFINITY;
    this.#budgeted = options.retry !== undefined || options.hedge !== undefined;
  }

  /** To be told before anything happens: servers and caller know each other. */
  connectTo(servers: Servers): void {
    this.#servers = servers;
  }

  /** A call comes in. */
  begin(client: Client, key: string | undefined): void {
    const now = this.agenda.now();
    const { timeoutMs, hedge } = this.options;
    const call = this.calls.take();
    call.client = client;
    call.arrivedAt = now;
    call.deadline = now + timeoutMs;
    call.key = key;
    call.arrival = client.balancer.arrive();
    call.ended = false;
    call.failures = 0;
    call.failedBy = undefined;
    call.running = 1;
    call.generation++;
    if (this.#budgeted) client.balancer.budget.called(now);
    if (timeoutMs !== Number.POSITIVE_INFINITY)
      this.deadlines.push(call.deadline, call.index, call.generation);
    if (hedge !== undefined) this.#hedgeLater(call, hedge);
    call.first = this.#attempt(call);
    this.#acquire(call.first);
  }

  opened(attempt: Attempt, row: Row<SimulatedSubchannel>): void {
    const now = this.agenda.now();
    const call = attempt.call!;
    const link = row.link!;
    if (attempt.phase === 'waiting') this.recorder.queuedAtClients(-1, now);
    attempt.phase = 'travelling';
    attempt.row = row;
    attempt.server = link.server;
    attempt.startedAt = now;
    attempt.finished = false;
    this.recorder.picked(link.server, call.arrivedAt);
    if (attempt.client!.balancer.watchesHung) this.#open.add(link, attempt);
    if (this.#attemptTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.attemptDeadlines.push(now + this.#attemptTimeoutMs, attempt.index, attempt.generation);
    }
    if (this.options.networkDelay === undefined) this.#servers!.arrive(attempt);
    else this.#travel(attempt, EventKind.arrives);
  }

  refused(attempt: Attempt, error: BalancerError): void {
    if (error.code === 'PICKER_FAILED') throw error;
    if (attempt.phase === 'waiting') this.recorder.queuedAtClients(-1, this.agenda.now());
    this.#lost(attempt, error.status, false);
    this.#release(attempt);
  }

  /** The server has decided; its answer is on its way. */
  answers(attempt: Attempt, code: number): void {
    attempt.code = code;
    attempt.phase = 'travelling';
    if (this.options.networkDelay === undefined) this.answered(attempt);
    else this.#travel(attempt, EventKind.answers);
  }

  /** The answer is there. */
  answered(attempt: Attempt): void {
    const { abandoned, code } = attempt;
    if (!attempt.finished) this.#finish(attempt, abandoned ? Status.DEADLINE_EXCEEDED : code);
    if (!abandoned) this.#lost(attempt, code, false);
    this.#release(attempt);
  }

  queued(change: number): void {
    this.recorder.queuedAtServers(change, this.agenda.now());
  }

  /** The event that a call has waited long enough for its first attempt. */
  hedge(call: Call): void {
    call.events--;
    const { first } = call;
    if (call.ended) {
      if (call.events === 0) this.calls.give(call);
      return;
    }
    // As in the pool: the first has to be with a server, and the second goes elsewhere at once or not at all.
    if (first === undefined || first.phase === 'waiting') return;
    if (!call.client!.balancer.budget.tryRetry(this.agenda.now())) return;
    const second = this.#attempt(call);
    second.exclude = new Set([first.row!]);
    const row = call.client!.tryPick(second);
    if (row === undefined) {
      this.#release(second);
      return;
    }
    call.second = second;
    call.running = 2;
    this.opened(second, row);
  }

  /** A call has run out of time. */
  timedOut(call: Call): void {
    this.#end(call, Status.DEADLINE_EXCEEDED);
  }

  /** An attempt has run out of the time that it was given. */
  attemptTimedOut(attempt: Attempt): void {
    if (attempt.abandoned) return;
    this.#lost(attempt, Status.DEADLINE_EXCEEDED, true);
    this.#abandon(attempt, Status.DEADLINE_EXCEEDED);
  }

  /** Every attempt on the row has had its time to drain. */
  cut(row: Row<SimulatedSubchannel>): void {
    for (const attempt of this.attempts) {
      if (attempt.row !== row || attempt.finished || attempt.abandoned) continue;
      this.#lost(attempt, Status.UNAVAILABLE, false);
      this.#abandon(attempt, Status.UNAVAILABLE);
    }
  }

  unansweredCalls({ link }: Row<SimulatedSubchannel>): Iterable<UnansweredCall> {
    return this.#open.on(link);
  }

  /** An event of an attempt's has come. It may be too late: the attempt may be over. */
  event(kind: EventKind, attempt: Attempt): void {
    attempt.events--;
    if (attempt.phase === 'idle') {
      if (attempt.events === 0) this.attempts.give(attempt);
    } else if (kind === EventKind.done) this.#servers!.done(attempt);
    else if (kind === EventKind.arrives) this.#servers!.arrive(attempt);
    else this.answered(attempt);
  }

  #attempt(call: Call): Attempt {
    const attempt = this.attempts.take();
    attempt.client = call.client;
    attempt.call = call;
    attempt.arrival = call.arrival;
    attempt.key = call.key;
    attempt.enteredAt = call.arrivedAt;
    attempt.expiresAt = call.deadline;
    attempt.exclude = undefined;
    attempt.phase = 'travelling';
    attempt.abandoned = false;
    attempt.generation++;
    return attempt;
  }

  /** Not to be used before the last of its events has come. */
  #release(attempt: Attempt): void {
    attempt.phase = 'idle';
    attempt.row = undefined;
    attempt.call = undefined;
    if (attempt.events === 0) this.attempts.give(attempt);
  }

  #acquire(attempt: Attempt): void {
    const client = attempt.client!;
    const row = client.tryPick(attempt);
    if (row !== undefined) {
      this.opened(attempt, row);
      return;
    }
    try {
      client.balancer.wait(attempt);
    } catch (thrown) {
      this.refused(attempt, thrown as BalancerError);
      return;
    }
    attempt.phase = 'waiting';
    this.recorder.queuedAtClients(1, this.agenda.now());
  }

  #travel(attempt: Attempt, kind: typeof EventKind.arrives | typeof EventKind.answers): void {
    attempt.events++;
    const delayMs = this.options.networkDelay!.draw(this.random);
    this.agenda.at(this.agenda.now() + delayMs, kind, attempt.index);
  }

  /** Counts the attempt off its row. */
  #finish(attempt: Attempt, code: number): void {
    attempt.finished = true;
    const { row, client } = attempt;
    const link = row!.link!;
    if (client!.balancer.watchesHung) this.#open.delete(link, attempt);
    client!.finish(row!, { code, latencyMs: this.agenda.now() - attempt.startedAt });
  }

  /** Its call does not wait for the attempt any more. */
  #abandon(attempt: Attempt, code: number): void {
    if (attempt.phase === 'waiting') {
      attempt.client!.balancer.leave(attempt);
      this.recorder.queuedAtClients(-1, this.agenda.now());
      this.#release(attempt);
      return;
    }
    attempt.abandoned = true;
    const waits = this.options.pendingUntilAnswered && code === Status.DEADLINE_EXCEEDED;
    if (!waits) this.#finish(attempt, code);
    this.#servers!.cancel(attempt);
  }

  /** An attempt has ended, but the call perhaps not. */
  #lost(attempt: Attempt, code: number, timedOut: boolean): void {
    const call = attempt.call!;
    if (code === Status.OK) {
      if (call.first === attempt) call.first = undefined;
      else call.second = undefined;
      this.#end(call, code);
      return;
    }
    if (call.first === attempt) {
      call.first = undefined;
      if (this.#retries(call, attempt, code, timedOut)) return;
      call.code = code;
    } else {
      call.second = undefined;
    }
    if (--call.running === 0) this.#end(call, call.code);
  }

  /** Whether the call is tried again after this; if so, that is put down. A simulated call always reaches its server. */
  #retries(call: Call, attempt: Attempt, code: number, timedOut: boolean): boolean {
    if (attempt.row === undefined) return false;
    const { failures, deadline } = call;
    const now = this.agenda.now();
    const { budget } = call.client!.balancer;
    const outcome = attemptOutcome(
      { code, reached: 'maybe', timedOut },
      { retry: this.options.retry, failures, committed: false, last: now >= deadline },
      () => budget.tryRetry(now),
      this.random,
    );
    if (outcome.kind !== 'retry') return false;
    call.failures++;
    call.failedBy = new Set(call.failedBy).add(attempt.row);
    const { generation } = call;
    this.agenda.after(outcome.afterMs, () => {
      if (call.generation === generation && !call.ended) this.#again(call);
    });
    return true;
  }

  /** On a server that has not failed the call, if there is one with room; on any other else. */
  #again(call: Call): void {
    const attempt = this.#attempt(call);
    call.first = attempt;
    attempt.exclude = call.failedBy;
    const row = call.client!.tryPick(attempt);
    if (row !== undefined) {
      this.opened(attempt, row);
      return;
    }
    attempt.exclude = undefined;
    this.#acquire(attempt);
  }

  #end(call: Call, code: number): void {
    const { first, second } = call;
    call.ended = true;
    call.first = undefined;
    call.second = undefined;
    this.recorder.ended(call.arrivedAt, this.agenda.now(), code);
    const why = code === Status.DEADLINE_EXCEEDED ? code : Status.CANCELLED;
    if (first !== undefined) this.#abandon(first, why);
    if (second !== undefined) this.#abandon(second, why);
    if (call.events === 0) this.calls.give(call);
  }

  #hedgeLater(call: Call, { delayMs = 'p95' }: HedgeOptions): void {
    const ms = delayMs === 'p95' ? call.client!.balancer.p95(this.agenda.now()) : delayMs;
    if (ms === undefined) return;
    call.events++;
    this.agenda.at(this.agenda.now() + ms, EventKind.hedge, call.index);
  }
}
