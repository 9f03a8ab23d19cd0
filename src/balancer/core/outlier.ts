import { Status } from '../../base/errors.js';
import { numberOption } from '../../base/options.js';
import type { Outcome } from '../pickers/picker.js';

/** When an endpoint is taken out for a while because it fails. Durations in milliseconds. */
export interface OutlierOptions {
  /** How often success rates and failure percentages are compared. Default 10,000. */
  readonly intervalMs: number;
  /** An ejection lasts this long times how often the endpoint was ejected. Default 30,000. */
  readonly baseEjectionMs: number;
  /** But no longer than this. Default 300,000. */
  readonly maxEjectionMs: number;
  /** Most of the endpoints, in per cent, that the comparisons eject; one at least. Default 10. */
  readonly maxEjectionPercent: number;
  /**
   * Ejects an endpoint whose success rate is so many standard deviations below the mean, where at least `minimumHosts` had
   * `requestVolume` calls in the interval. Default 1.9, 5, 100.
   */
  readonly successRate:
    | { readonly stdevFactor: number; readonly minimumHosts: number; readonly requestVolume: number }
    | false;
  /** Ejects an endpoint of whose calls more than `threshold` per cent failed. Default 85, 5, 50. */
  readonly failurePercentage:
    | { readonly threshold: number; readonly minimumHosts: number; readonly requestVolume: number }
    | false;
  /** Ejects an endpoint at so many failures in a row, at most half of all. Default 5. */
  readonly consecutiveFailures: number | false;
  /**
   * Ejects an endpoint that has answered nothing since a call began that is `factor` times older than the fleet's p99, and
   * `leastMs` old, at most half of all. Default 10 and 250.
   */
  readonly hung: { readonly factor: number; readonly leastMs: number } | false;
}

/** gRFC A50's defaults; the last two are for fleets too small for its statistics (Finagle's failure accrual has 5). */
export const OUTLIER_DEFAULTS: OutlierOptions = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
  successRate: { stdevFactor: 1.9, minimumHosts: 5, requestVolume: 100 },
  failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50 },
  consecutiveFailures: 5,
  hung: { factor: 10, leastMs: 250 },
};

/**
 * The defaults, with what is given over them.
 *
 * @throws BalancerError INVALID_OPTION.
 */
export function outlierOptions(given: Partial<OutlierOptions> = {}): OutlierOptions {
  const options = { ...OUTLIER_DEFAULTS, ...given };
  const { successRate, failurePercentage, consecutiveFailures, hung } = options;
  const positive = (name: string, value: number, integer = false) =>
    numberOption(`outlierDetection.${name}`, value, { min: 1, integer });
  positive('intervalMs', options.intervalMs);
  positive('baseEjectionMs', options.baseEjectionMs);
  positive('maxEjectionMs', options.maxEjectionMs);
  numberOption('outlierDetection.maxEjectionPercent', options.maxEjectionPercent, { min: 0, max: 100 });
  if (successRate !== false) {
    numberOption('outlierDetection.successRate.stdevFactor', successRate.stdevFactor, { min: 0 });
    positive('successRate.minimumHosts', successRate.minimumHosts, true);
    positive('successRate.requestVolume', successRate.requestVolume, true);
  }
  if (failurePercentage !== false) {
    numberOption('outlierDetection.failurePercentage.threshold', failurePercentage.threshold, {
      min: 0,
      max: 100,
    });
    positive('failurePercentage.minimumHosts', failurePercentage.minimumHosts, true);
    positive('failurePercentage.requestVolume', failurePercentage.requestVolume, true);
  }
  if (consecutiveFailures !== false) positive('consecutiveFailures', consecutiveFailures, true);
  if (hung !== false) {
    positive('hung.factor', hung.factor);
    numberOption('outlierDetection.hung.leastMs', hung.leastMs, { min: 0 });
  }
  return options;
}

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

interface Host {
  standing: Standing;
  successes: number;
  failures: number;
  /** Failures in a row, with no success between. */
  consecutive: number;
  /** How often it was ejected, less the intervals that it has since been well. */
  ejections: number;
  lastAnswerAt: number;
}

/**
 * A row that waits longer than this for a call that may probe it, or for the end of the one that does, comes back without:
 * the probe may be a stream that goes on for hours. Where it hangs, the next look at what waits takes the row out again.
 */
const PROBE_PATIENCE_MS = 5_000;
const IN: Standing = { kind: 'in' };

/**
 * Outlier detection as in gRFC A50, and what catches a hung server in a small fleet. Pure: it is told of rows and of the
 * ends of calls, and says who is out and who is back. A row that reconnects is another server, and starts anew.
 */
export class OutlierDetector<R> {
  readonly #hosts = new Map<R, Host>();
  readonly #out = new Set<R>();
  /** No row is due before this. */
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(readonly options: OutlierOptions) {}

  added(row: R, now: number): void {
    this.#hosts.set(row, {
      standing: IN,
      successes: 0,
      failures: 0,
      consecutive: 0,
      ejections: 0,
      lastAnswerAt: now,
    });
  }

  removed(row: R): void {
    this.#out.delete(row);
    this.#hosts.delete(row);
  }

  /**
   * A call has ended. `p99Ms` gives the fleet's, when it is known: a deadline that was shorter is no fault of the server's.
   */
  finished(
    row: R,
    { code, latencyMs }: Outcome,
    p99Ms: (now: number) => number | undefined,
    now: number,
  ): EjectionChange<R> | undefined {
    const host = this.#hosts.get(row);
    if (host === undefined) return undefined;
    const kind = latencyMs === undefined ? 'unused' : classify(code, latencyMs, p99Ms, now);
    if (kind === 'unused') {
      // The probe never came to be one: the next call is.
      if (host.standing.kind === 'probed') this.#outUntil(host, 'probe-failed', now);
      return undefined;
    }
    if (kind === 'success') return this.#succeeded(row, host, now);
    host.failures++;
    host.consecutive++;
    if (code !== Status.DEADLINE_EXCEEDED) host.lastAnswerAt = now;
    if (host.standing.kind === 'probed') return this.#eject(row, host, 'probe-failed', now);
    const { consecutiveFailures } = this.options;
    if (consecutiveFailures === false || host.standing.kind === 'out') return undefined;
    if (host.consecutive < consecutiveFailures || !this.#belowHalf()) return undefined;
    return this.#eject(row, host, 'consecutive-failures', now);
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
   * Looks at what waits. `oldest` gives when the oldest unanswered call of a row began; undefined without one. To be called
   * every 100 ms or so while calls are pending.
   */
  checkHung(
    oldest: (row: R) => number | undefined,
    p99Ms: number | undefined,
    now: number,
  ): EjectionChange<R>[] {
    const { hung } = this.options;
    const changes: EjectionChange<R>[] = [];
    if (hung === false || p99Ms === undefined) return changes;
    const limitMs = Math.max(hung.leastMs, hung.factor * p99Ms);
    // If nobody has answered for so long, it is we who hang, or the network, and no row is worse than another.
    let latest = Number.NEGATIVE_INFINITY;
    for (const { lastAnswerAt } of this.#hosts.values()) latest = Math.max(latest, lastAnswerAt);
    if (now - latest >= limitMs) return changes;
    for (const [row, host] of this.#hosts) {
      if (host.standing.kind !== 'in') continue;
      const began = oldest(row);
      if (began === undefined || now - began < limitMs || host.lastAnswerAt > began || !this.#belowHalf())
        continue;
      changes.push(this.#eject(row, host, 'hung', now));
    }
    return changes;
  }

  /** The end of an interval: compares the rows, and lets those back of which no probe has told for long. */
  sweep(now: number): EjectionChange<R>[] {
    const changes = [...this.#bySuccessRate(now), ...this.#byFailurePercentage(now)];
    for (const [row, host] of this.#hosts) {
      host.successes = 0;
      host.failures = 0;
      if (host.standing.kind === 'in') {
        if (host.ejections > 0) host.ejections--;
      } else if (probedFrom(host.standing) + PROBE_PATIENCE_MS <= now) {
        changes.push(this.#back(row, host));
        // One more failure, and it is out again.
        host.consecutive =
          this.options.consecutiveFailures === false ? 0 : this.options.consecutiveFailures - 1;
      }
    }
    return changes;
  }

  #succeeded(row: R, host: Host, now: number): EjectionChange<R> | undefined {
    const { standing } = host;
    host.successes++;
    host.consecutive = 0;
    host.lastAnswerAt = now;
    // A hung server that answers is not; the others come back by a probe.
    if (standing.kind === 'probed' || (standing.kind === 'out' && standing.reason === 'hung'))
      return this.#back(row, host);
    return undefined;
  }

  #back(row: R, host: Host): EjectionChange<R> {
    host.standing = IN;
    host.consecutive = 0;
    this.#out.delete(row);
    return { kind: 'returned', row };
  }

  #eject(row: R, host: Host, reason: EjectionReason, now: number): EjectionChange<R> {
    const { baseEjectionMs, maxEjectionMs } = this.options;
    this.#out.add(row);
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
    const rates = busy.map(([, { successes, failures }]) => successes / (successes + failures));
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const required = mean - Math.sqrt(variance) * successRate.stdevFactor;
    for (const [index, [row, host]] of busy.entries()) {
      if (!this.#belowPercentage()) return;
      if (host.standing.kind === 'in' && rates[index]! < required)
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
      const failed = (host.failures / (host.successes + host.failures)) * 100;
      if (host.standing.kind === 'in' && failed > failurePercentage.threshold) {
        yield this.#eject(row, host, 'failure-percentage', now);
      }
    }
  }

  #busy(volume: number): [R, Host][] {
    return [...this.#hosts].filter(([, { successes, failures }]) => successes + failures >= volume);
  }
}

/** Since when a row has been probed, or might have been. */
function probedFrom(standing: Exclude<Standing, { kind: 'in' }>): number {
  return standing.kind === 'out' ? standing.until : standing.since;
}

function classify(
  code: number,
  latencyMs: number,
  p99Ms: (now: number) => number | undefined,
  now: number,
): 'success' | 'failure' | 'unused' {
  switch (code) {
    case Status.UNAVAILABLE:
    case Status.INTERNAL:
    case Status.UNKNOWN:
    case Status.DATA_LOSS:
      return 'failure';
    case Status.DEADLINE_EXCEEDED:
      return latencyMs >= (p99Ms(now) ?? Number.POSITIVE_INFINITY) ? 'failure' : 'unused';
    case Status.CANCELLED:
      return 'unused';
    default:
      return 'success';
  }
}
