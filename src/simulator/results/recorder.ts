import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { Status } from '../../base/errors.js';

/** What a {@link Recorder} is told before it begins. Times in milliseconds. */
export interface RecorderOptions {
  readonly servers: number;
  /** When the calls begin that count. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Into how many windows the time is divided for what changes over it. Default 120. */
  readonly windows?: number;
}

/** What happened in a span of time: calls that ended in it, and what waited. Latencies in milliseconds. */
export interface Window {
  readonly atMs: number;
  readonly calls: number;
  readonly failed: number;
  /** Absent when no call ended that had one. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** In the mean over the window. */
  readonly queuedAtServers: number;
  readonly queuedAtClients: number;
}

/** What was recorded of one run. Plain data. */
export interface Recording {
  /** Calls that arrived while it counted, and have ended. */
  readonly calls: number;
  readonly succeeded: number;
  /** Calls that failed, by the name of their status. */
  readonly failed: Readonly<Record<string, number>>;
  readonly meanMs: number;
  readonly maxMs: number;
  /** The latencies at {@link QUANTILES}. */
  readonly quantilesMs: readonly number[];
  /** Attempts by server. */
  readonly load: readonly number[];
  readonly windows: readonly Window[];
}

/** From the least latency to the one of which 1 in 100,000 is worse, evenly on a scale of nines from the median on. */
export const QUANTILES: readonly number[] = [
  0,
  0.1,
  0.2,
  0.3,
  0.4,
  0.5,
  ...Array.from({ length: 94 }, (_, i) => 1 - 10 ** -((i + 7) / 20)),
];

/** Histograms hold whole microseconds, from 1 to a day, within 0.1 %. */
const US_PER_MS = 1_000;
const HISTOGRAM = { lowest: 1, highest: 86_400_000 * US_PER_MS, figures: 3 };

const WINDOWS = 120;

const STATUS_NAMES = Object.keys(Status);

/**
 * What becomes of the calls of one run. Latencies go into HDR histograms: node's own, which is HdrHistogram_c. Memory does
 * not grow with the number of calls.
 *
 * The latency of a call is from its arrival to its end. Counted are those of calls that succeeded, and of calls that ran
 * out of time, which took that long at least; one that failed in another way shows in the success rate alone, or a server
 * that fails fast would make a policy look fast.
 */
export class Recorder {
  readonly #histogram: RecordableHistogram = createHistogram(HISTOGRAM);
  /** Of this window, the calls that count: added to the others when it closes, as one call costs less than two. */
  readonly #window: RecordableHistogram = createHistogram(HISTOGRAM);
  /** And those that began before any counted. */
  readonly #early: RecordableHistogram = createHistogram(HISTOGRAM);
  readonly #windows: Window[] = [];
  readonly #count: number;
  readonly #windowMs: number;
  readonly #load: Float64Array;
  readonly #codes = new Float64Array(STATUS_NAMES.length);
  #sumMs = 0;
  #maxMs = 0;
  #measured = 0;
  #windowEndsAt: number;
  #windowCalls = 0;
  #windowFailed = 0;
  #queuedAtServers = 0;
  #queuedAtClients = 0;
  /** The queues' lengths, integrated over the window's time. */
  #serverQueueTime = 0;
  #clientQueueTime = 0;
  #integratedTo = 0;

  constructor(private readonly options: RecorderOptions) {
    this.#load = new Float64Array(options.servers);
    this.#count = options.windows ?? WINDOWS;
    this.#windowMs = options.untilMs / this.#count;
    this.#windowEndsAt = this.#endOf(1);
  }

  /** An attempt goes to a server, of a call that arrived at that time. */
  picked(server: number, arrivedAt: number): void {
    if (arrivedAt >= this.options.fromMs) this.#load[server]! += 1;
  }

  /** A call has ended. */
  ended(arrivedAt: number, now: number, code: number): void {
    if (now >= this.#windowEndsAt) this.#turn(now);
    const latencyMs = now - arrivedAt;
    const timed = code === Status.OK || code === Status.DEADLINE_EXCEEDED;
    const us = timed ? Math.max(1, Math.round(latencyMs * US_PER_MS)) : 0;
    this.#windowCalls++;
    if (code !== Status.OK) this.#windowFailed++;
    if (arrivedAt < this.options.fromMs) {
      if (timed) this.#early.record(us);
      return;
    }
    this.#codes[code]! += 1;
    if (!timed) return;
    this.#window.record(us);
    this.#measured++;
    this.#sumMs += latencyMs;
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
  }

  queuedAtServers(change: number, now: number): void {
    this.#integrate(now);
    this.#queuedAtServers += change;
  }

  queuedAtClients(change: number, now: number): void {
    this.#integrate(now);
    this.#queuedAtClients += change;
  }

  /** What was recorded. To be asked for once, at the end. */
  recording(now: number): Recording {
    if (now >= this.#windowEndsAt) this.#turn(now);
    this.#histogram.add(this.#window);
    const failed: Record<string, number> = {};
    let calls = 0;
    for (const [code, count] of this.#codes.entries()) {
      calls += count;
      if (code !== Status.OK && count > 0) failed[STATUS_NAMES[code]!] = count;
    }
    return {
      calls,
      succeeded: this.#codes[Status.OK]!,
      failed,
      meanMs: this.#measured === 0 ? 0 : this.#sumMs / this.#measured,
      maxMs: this.#maxMs,
      // A histogram gives the upper end of a bucket, which may be over the greatest that there was.
      quantilesMs: QUANTILES.map((q) => Math.min(quantile(this.#histogram, q), this.#maxMs)),
      load: Array.from(this.#load),
      windows: this.#windows,
    };
  }

  #integrate(now: number): void {
    if (now >= this.#windowEndsAt) this.#turn(now);
    this.#integrateTo(now);
  }

  #integrateTo(now: number): void {
    const ms = now - this.#integratedTo;
    this.#serverQueueTime += this.#queuedAtServers * ms;
    this.#clientQueueTime += this.#queuedAtClients * ms;
    this.#integratedTo = now;
  }

  /** The last ends with the time itself, whatever a division of it is rounded to: or it would never be closed. */
  #endOf(window: number): number {
    if (window > this.#count) return Number.POSITIVE_INFINITY;
    return window === this.#count ? this.options.untilMs : window * this.#windowMs;
  }

  /** Closes every window that is over. What happens after the last is in none. */
  #turn(now: number): void {
    while (now >= this.#windowEndsAt) {
      this.#integrateTo(this.#windowEndsAt);
      this.#histogram.add(this.#window);
      if (this.#early.count > 0) this.#window.add(this.#early);
      this.#windows.push({
        atMs: this.#windows.length * this.#windowMs,
        calls: this.#windowCalls,
        failed: this.#windowFailed,
        ...(this.#window.count > 0 && {
          p50Ms: quantile(this.#window, 0.5),
          p99Ms: quantile(this.#window, 0.99),
        }),
        queuedAtServers: this.#serverQueueTime / this.#windowMs,
        queuedAtClients: this.#clientQueueTime / this.#windowMs,
      });
      this.#window.reset();
      this.#early.reset();
      this.#windowCalls = 0;
      this.#windowFailed = 0;
      this.#serverQueueTime = 0;
      this.#clientQueueTime = 0;
      this.#windowEndsAt = this.#endOf(this.#windows.length + 1);
    }
  }
}

function quantile(histogram: RecordableHistogram, q: number): number {
  if (histogram.count === 0) return 0;
  return (q === 0 ? histogram.min : histogram.percentile(q * 100)) / US_PER_MS;
}
