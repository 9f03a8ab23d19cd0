import { type Answer, answerOf } from '../pickers/answer.js';
import type { Outcome } from '../pickers/picker.js';
import { type Fault, FleetTally, newTally, type Tally, turnOver } from './fleet-tally.js';
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

interface Host {
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
  readonly #hosts = new Map<R, Host>();
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
    const host: Host = { standing: IN, tally: newTally(), ejections: 0, lastAnswerAt: now };
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
        return this.#succeeded(row, host, now);
      case 'failure':
        return this.#failed(row, host, 'failures', now);
      case 'refusal':
        return this.#failed(row, host, 'errors', now);
      case 'late':
        if (outcome.latencyMs! >= (p99Ms(outcome, now) ?? Number.POSITIVE_INFINITY)) {
          const { lastAnswerAt } = host;
          const change = this.#failed(row, host, 'failures', now);
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

  /** The row that is due for a probe; the next call is to go there, and to be marked by {@link probing}. */
  due(now: number): R | undefined {
    if (now < this.#dueAt) return undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
    let due: R | undefined;
    for (const row of this.#out) {
      const { standing } = this.#hosts.get(row)!;
      if (standing.kind !== 'out') continue;
      this.#dueAt = Math.min(this.#dueAt, standing.until);
      if (standing.until <= now) due ??= row;
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
        if (this.#belowHalf()) changes.push(this.#eject(row, host, 'hung', now));
        break;
      }
    }
    return changes;
  }

  /** The end of an interval: compares the rows, and lets those back of which no probe has told for long. */
  sweep(now: number): EjectionChange<R>[] {
    const changes = [...this.#bySuccessRate(now), ...this.#byFailurePercentage(now)];
    for (const [row, host] of this.#hosts) {
      turnOver(host.tally);
      if (host.standing.kind === 'in') {
        if (host.ejections > 0) host.ejections--;
      } else if (probedFrom(host.standing) + PROBE_PATIENCE_MS <= now) {
        changes.push(this.#back(row, host));
        // One more failure, and it is out again.
        const run = this.options.consecutiveFailures === false ? 0 : this.options.consecutiveFailures - 1;
        host.tally.failuresInARow = run;
        host.tally.errorsInARow = run;
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

  #succeeded(row: R, host: Host, now: number): EjectionChange<R> | undefined {
    const { standing, tally } = host;
    tally.present.answers++;
    tally.failuresInARow = 0;
    tally.errorsInARow = 0;
    this.#fleet.counted();
    host.lastAnswerAt = now;
    // A hung server that answers is not; the others come back by a probe.
    if (standing.kind === 'probed' || (standing.kind === 'out' && standing.reason === 'hung'))
      return this.#back(row, host);
    return undefined;
  }

  #failed(row: R, host: Host, fault: Fault, now: number): EjectionChange<R> | undefined {
    const { standing, tally } = host;
    tally.present.answers++;
    tally.present.errors++;
    tally.errorsInARow++;
    if (fault === 'failures') {
      tally.present.failures++;
      tally.failuresInARow++;
    } else {
      tally.failuresInARow = 0;
    }
    this.#fleet.counted();
    host.lastAnswerAt = now;
    switch (standing.kind) {
      case 'probed':
        // What most of its peers answer as well is no failure of its own.
        return this.#fleet.peersShare(tally, fault) < 0.5
          ? this.#eject(row, host, 'probe-failed', now)
          : this.#back(row, host);
      case 'out':
        return standing.reason === 'hung' && fault === 'errors' ? this.#back(row, host) : undefined;
      case 'in':
        return this.#runTooLong(tally) ? this.#eject(row, host, 'consecutive-failures', now) : undefined;
    }
  }

  #runTooLong(tally: Tally): boolean {
    const { consecutiveFailures } = this.options;
    if (consecutiveFailures === false) return false;
    const { failuresInARow, errorsInARow } = tally;
    if (!this.#belowHalf()) return false;
    if (this.#fleet.runIsTooLong(tally, 'failures', failuresInARow, consecutiveFailures)) return true;
    // Of refusals, one missing record that is asked for over and over may be the cause: it would go on with its next server.
    if (!this.#belowPercentage()) return false;
    return this.#fleet.runIsTooLong(tally, 'errors', errorsInARow, consecutiveFailures);
  }

  #back(row: R, host: Host): EjectionChange<R> {
    host.standing = IN;
    host.tally.failuresInARow = 0;
    host.tally.errorsInARow = 0;
    this.#out.delete(row);
    this.#fleet.add(host.tally);
    return { kind: 'returned', row };
  }

  #eject(row: R, host: Host, reason: EjectionReason, now: number): EjectionChange<R> {
    const { baseEjectionMs, maxEjectionMs } = this.options;
    this.#out.add(row);
    this.#fleet.delete(host.tally);
    host.ejections++;
    const forMs = Math.min(baseEjectionMs * host.ejections, Math.max(baseEjectionMs, maxEjectionMs));
    this.#outUntil(host, reason, now + forMs);
    return { kind: 'ejected', row, reason, forMs };
  }

  #outUntil(host: Host, reason: EjectionReason, until: number): void {
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

  *#bySuccessRate(now: number): Generator<EjectionChange<R>> {
    const { successRate } = this.options;
    if (successRate === false) return;
    const busy = this.#busy(successRate.requestVolume);
    if (busy.length < successRate.minimumHosts) return;
    const rates = busy.map(([, { tally }]) => 1 - errorShare(tally));
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const required = mean - Math.sqrt(variance) * successRate.stdevFactor;
    for (const [index, [row, host]] of busy.entries()) {
      if (!this.#belowPercentage()) return;
      if (host.standing.kind !== 'in' || rates[index]! >= required) continue;
      if (FleetTally.isUnlike(1 - rates[index]!, 1 - mean, host.tally.present.answers))
        yield this.#eject(row, host, 'success-rate', now);
    }
  }

  *#byFailurePercentage(now: number): Generator<EjectionChange<R>> {
    const { failurePercentage } = this.options;
    if (failurePercentage === false) return;
    const busy = this.#busy(failurePercentage.requestVolume);
    if (busy.length < failurePercentage.minimumHosts) return;
    for (const [row, host] of busy) {
      if (!this.#belowPercentage()) return;
      const { standing, tally } = host;
      const failed = errorShare(tally);
      if (standing.kind !== 'in' || failed * 100 <= failurePercentage.threshold) continue;
      if (FleetTally.isUnlike(failed, this.#fleet.peersShare(tally, 'errors'), tally.present.answers)) {
        yield this.#eject(row, host, 'failure-percentage', now);
      }
    }
  }

  #busy(volume: number): [R, Host][] {
    return [...this.#hosts].filter(([, { tally }]) => tally.present.answers >= volume);
  }
}

/** Since when a row has been probed, or might have been. */
function probedFrom(standing: Exclude<Standing, { kind: 'in' }>): number {
  return standing.kind === 'out' ? standing.until : standing.since;
}

/** Of the present interval. */
function errorShare({ present }: Tally): number {
  return present.errors / present.answers;
}
