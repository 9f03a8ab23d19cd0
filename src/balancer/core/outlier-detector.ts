// Over 300 lines: one state machine, in, out and probed, whose transitions are read together. What is counted, how rows are
// compared, and the options have files of their own.
import { type Answer, answerOf } from '../pickers/answer.js';
import type { Outcome } from '../pickers/picker.js';
import { type Fault, FleetTally, newTally, type Tally, turnOver } from './fleet-tally.js';
import { worseByFailurePercentage, worseBySuccessRate } from './outlier-comparisons.js';
import type { OutlierOptions } from './outlier-options.js';

export type EjectionReason =
  | 'success-rate'
  | 'failure-percentage'
  | 'consecutive-failures'
  | 'hung'
  | 'probe-failed';

/** What the detector decides: that a row goes out, or comes back. */
export type EjectionChange<R> =
  | { readonly kind: 'ejected'; readonly row: R; readonly reason: EjectionReason; readonly forMs: number }
  | { readonly kind: 'returned'; readonly row: R };

/** Why a row is out, and how it comes back. */
type Standing =
  | { readonly kind: 'in' }
  | { readonly kind: 'out'; readonly reason: EjectionReason; readonly until: number }
  /** Its time is over, and one call is on its way to see whether it is well. */
  | { readonly kind: 'probed'; readonly since: number };

/** A call that wants one answer, and has none yet. */
export interface UnansweredCall {
  /** In monotonic milliseconds. */
  readonly startedAt: number;
  /** The full method name, where it is known. */
  readonly method?: string | undefined;
}

interface Host<R> {
  readonly row: R;
  standing: Standing;
  readonly tally: Tally;
  /** How often it was ejected, less the intervals that it has since been well. */
  ejections: number;
  lastAnswerAt: number;
}

/**
 * A row that waits longer than this for a call that may probe it, or for the end of the one that does, comes back without:
 * the probe may be a stream that goes on for hours. Where it hangs, the next look at what waits takes the row out again.
 */
const PROBE_PATIENCE_MS = 5_000;
/** Of a row's calls without an answer, so many are looked at: the oldest may be slow by nature, and one after it be late. */
const MOST_LOOKED_AT = 16;
const IN: Standing = { kind: 'in' };

/**
 * Outlier detection as in gRFC A50, and what catches a failing or a hung server in a small fleet. Pure: it is told of rows and
 * of the ends of calls, and says who is out and who is back. A row that reconnects is another server, and starts anew.
 *
 * As in A50 every answer but OK counts against a row. Beyond A50, nobody is ejected for what its peers do as well: see
 * {@link FleetTally}.
 */
export class OutlierDetector<R> {
  readonly #hosts = new Map<R, Host<R>>();
  readonly #out = new Set<R>();
  /** Of the rows that are in. */
  readonly #fleet = new FleetTally();
  /** No row is due before this. */
  #dueAt = Number.POSITIVE_INFINITY;
  /** Calls that began before this may have suffered by ourselves. */
  #blamelessBefore = Number.NEGATIVE_INFINITY;

  constructor(readonly options: OutlierOptions) {}

  added(row: R, now: number): void {
    this.removed(row);
    const host: Host<R> = { row, standing: IN, tally: newTally(), ejections: 0, lastAnswerAt: now };
    this.#hosts.set(row, host);
    this.#fleet.add(host.tally);
  }

  removed(row: R): void {
    const host = this.#hosts.get(row);
    if (host === undefined) return;
    this.#fleet.delete(host.tally);
    this.#out.delete(row);
    this.#hosts.delete(row);
  }

  /**
   * A call has ended. `p99Ms` gives the latency of the fleet's calls like it, when it is known: a deadline that was shorter is
   * no fault of the server's.
   */
  finished(
    row: R,
    outcome: Outcome,
    p99Ms: (call: Outcome, now: number) => number | undefined,
    now: number,
  ): EjectionChange<R> | undefined {
    const host = this.#hosts.get(row);
    if (host === undefined) return undefined;
    const answer = this.#whatItTells(outcome, now);
    switch (answer) {
      case 'well':
        return this.#succeeded(host, now);
      case 'failure':
        return this.#failed(host, 'failures', now);
      case 'refusal':
        return this.#failed(host, 'errors', now);
      case 'late':
        if (outcome.latencyMs! >= (p99Ms(outcome, now) ?? Number.POSITIVE_INFINITY)) {
          const { lastAnswerAt } = host;
          const change = this.#failed(host, 'failures', now);
          // Silence is no answer.
          host.lastAnswerAt = lastAnswerAt;
          return change;
        }
        break;
      case 'nothing':
        break;
    }
    // The probe never came to be one: the next call is.
    if (host.standing.kind === 'probed') this.#outUntil(host, 'probe-failed', now);
    return undefined;
  }

  /** Whether some row may be due for a probe: a number is compared, for every pick asks. */
  anyDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  /** The row that is due for a probe, of those that may be probed; the next call is to go there, and to be marked by {@link probing}. */
  due(now: number, mayProbe: (row: R) => boolean = () => true): R | undefined {
    if (!this.anyDue(now)) return undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
    let due: R | undefined;
    for (const row of this.#out) {
      const { standing } = this.#hosts.get(row)!;
      if (standing.kind !== 'out') continue;
      this.#dueAt = Math.min(this.#dueAt, standing.until);
      if (due === undefined && standing.until <= now && mayProbe(row)) due = row;
    }
    return due;
  }

  /** A call has been sent to a row that was {@link due}. */
  probing(row: R, now: number): void {
    const host = this.#hosts.get(row);
    if (host !== undefined) host.standing = { kind: 'probed', since: now };
  }

  /**
   * This process stood still until now: it was stopped, or its event loop was blocked. What became of calls that began before
   * is its own doing, and their age is not what their servers took.
   */
  stoodStill(now: number): void {
    this.#blamelessBefore = now;
  }

  /**
   * Looks at what waits. To be called every 100 ms or so while calls are pending.
   *
   * @param unanswered - the calls of a row that want one answer and have none, oldest first.
   * @param p99Ms - the latency of the fleet's calls like that one, when it is known.
   */
  checkHung(
    unanswered: (row: R) => Iterable<UnansweredCall>,
    p99Ms: (call: UnansweredCall, now: number) => number | undefined,
    now: number,
  ): EjectionChange<R>[] {
    const { hung } = this.options;
    const changes: EjectionChange<R>[] = [];
    if (hung === false) return changes;
    let latestAnswerAt = Number.NEGATIVE_INFINITY;
    for (const { lastAnswerAt } of this.#hosts.values())
      latestAnswerAt = Math.max(latestAnswerAt, lastAnswerAt);
    for (const [row, host] of this.#hosts) {
      if (host.standing.kind !== 'in') continue;
      let looked = 0;
      for (const call of unanswered(row)) {
        if (++looked > MOST_LOOKED_AT || call.startedAt < host.lastAnswerAt) break;
        const p99 = p99Ms(call, now);
        if (p99 === undefined) continue;
        const limitMs = Math.max(hung.leastMs, hung.factor * p99);
        // If nobody has answered for so long, it is the network that hangs, or all of them, and no row is worse than another.
        if (now - latestAnswerAt >= limitMs) continue;
        if (now - Math.max(call.startedAt, this.#blamelessBefore) < limitMs) continue;
        if (this.#belowHalf()) changes.push(this.#eject(host, 'hung', now));
        break;
      }
    }
    return changes;
  }

  /** The end of an interval: compares the rows, and lets those back of which no probe has told for long. */
  sweep(now: number): EjectionChange<R>[] {
    const changes = [...this.#byComparison(now)];
    for (const host of this.#hosts.values()) {
      turnOver(host.tally);
      if (host.standing.kind === 'in') {
        if (host.ejections > 0) host.ejections--;
      } else if (probedFrom(host.standing) + PROBE_PATIENCE_MS <= now) {
        changes.push(this.#back(host));
        // One more failure, and it is out again.
        const run = this.options.consecutiveFailures === false ? 0 : this.options.consecutiveFailures - 1;
        this.#fleet.setRun(host.tally, run);
      }
    }
    return changes;
  }

  #whatItTells(outcome: Outcome, now: number): Answer {
    const { latencyMs } = outcome;
    if (latencyMs === undefined) return 'nothing';
    const answer = answerOf(outcome);
    return answer !== 'well' && now - latencyMs < this.#blamelessBefore ? 'nothing' : answer;
  }

  #succeeded(host: Host<R>, now: number): EjectionChange<R> | undefined {
    const { standing } = host;
    this.#fleet.answered(host.tally, undefined);
    host.lastAnswerAt = now;
    // A hung server that answers is not; the others come back by a probe.
    if (standing.kind === 'probed' || (standing.kind === 'out' && standing.reason === 'hung'))
      return this.#back(host);
    return undefined;
  }

  #failed(host: Host<R>, fault: Fault, now: number): EjectionChange<R> | undefined {
    const { standing, tally } = host;
    this.#fleet.answered(tally, fault);
    host.lastAnswerAt = now;
    switch (standing.kind) {
      case 'probed':
        // What most of its peers answer as well is no failure of its own.
        return this.#fleet.peersShare(tally, fault) < 0.5
          ? this.#eject(host, 'probe-failed', now)
          : this.#back(host);
      case 'out':
        return standing.reason === 'hung' && fault === 'errors' ? this.#back(host) : undefined;
      case 'in':
        return this.#runTooLong(tally) ? this.#eject(host, 'consecutive-failures', now) : undefined;
    }
  }

  #runTooLong(tally: Tally): boolean {
    const { consecutiveFailures } = this.options;
    if (consecutiveFailures === false) return false;
    if (!this.#belowHalf()) return false;
    if (this.#fleet.runIsTooLong(tally, 'failures', consecutiveFailures)) return true;
    // Of refusals, one missing record that is asked for over and over may be the cause: it would go on with its next server.
    if (!this.#belowPercentage()) return false;
    return this.#fleet.runIsTooLong(tally, 'errors', consecutiveFailures);
  }

  #back(host: Host<R>): EjectionChange<R> {
    host.standing = IN;
    this.#fleet.setRun(host.tally, 0);
    this.#out.delete(host.row);
    this.#fleet.add(host.tally);
    return { kind: 'returned', row: host.row };
  }

  #eject(host: Host<R>, reason: EjectionReason, now: number): EjectionChange<R> {
    const { baseEjectionMs, maxEjectionMs } = this.options;
    this.#out.add(host.row);
    this.#fleet.delete(host.tally);
    host.ejections++;
    const forMs = Math.min(baseEjectionMs * host.ejections, Math.max(baseEjectionMs, maxEjectionMs));
    this.#outUntil(host, reason, now + forMs);
    return { kind: 'ejected', row: host.row, reason, forMs };
  }

  #outUntil(host: Host<R>, reason: EjectionReason, until: number): void {
    host.standing = { kind: 'out', reason, until };
    this.#dueAt = Math.min(this.#dueAt, until);
  }

  #belowHalf(): boolean {
    return this.#out.size + 1 <= this.#hosts.size / 2;
  }

  /** gRFC A50 asks before each ejection, so that the first is always allowed. */
  #belowPercentage(): boolean {
    return (this.#out.size / this.#hosts.size) * 100 < this.options.maxEjectionPercent;
  }

  *#byComparison(now: number): Generator<EjectionChange<R>> {
    const { successRate, failurePercentage } = this.options;
    if (successRate !== false) {
      for (const host of worseBySuccessRate([...this.#hosts.values()], successRate)) {
        if (!this.#belowPercentage()) break;
        if (host.standing.kind === 'in') yield this.#eject(host, 'success-rate', now);
      }
    }
    if (failurePercentage !== false) {
      for (const host of worseByFailurePercentage(
        [...this.#hosts.values()],
        failurePercentage,
        ({ standing }) => standing.kind === 'in',
      )) {
        if (!this.#belowPercentage()) break;
        if (host.standing.kind === 'in') yield this.#eject(host, 'failure-percentage', now);
      }
    }
  }
}

/** Since when a row has been probed, or might have been. */
function probedFrom(standing: Exclude<Standing, { kind: 'in' }>): number {
  return standing.kind === 'out' ? standing.until : standing.since;
}
