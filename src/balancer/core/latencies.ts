import { LatencyHistogram } from './latency.js';

/** A percentile of fewer latencies than this is chance. */
const MIN_LATENCIES = 50;
/** Of one method, which may be called seldom, fewer have to do. */
const MIN_OF_METHOD = 20;
/** A proxy may pass on any name that it is given: of methods beyond this nothing is known, and none of their calls is late. */
const MAX_METHODS = 100;

/** The recent latencies of a pool's calls: of all of them, and of each method. */
export class Latencies {
  readonly #all = new LatencyHistogram();
  readonly #byMethod = new Map<string, LatencyHistogram>();

  record(method: string | undefined, latencyMs: number, now: number): void {
    this.#all.record(latencyMs, now);
    if (method === undefined) return;
    let known = this.#byMethod.get(method);
    if (known === undefined) {
      if (this.#byMethod.size >= MAX_METHODS) return;
      known = new LatencyHistogram();
      this.#byMethod.set(method, known);
    }
    known.record(latencyMs, now);
  }

  /** A quantile (0 to 1) of all, in milliseconds; undefined while too few are known. */
  quantile(q: number, now: number): number | undefined {
    return this.#all.count(now) < MIN_LATENCIES ? undefined : this.#all.quantile(q, now);
  }

  /** The same of one method's. Without a name, of all. */
  ofMethod(method: string | undefined, q: number, now: number): number | undefined {
    if (method === undefined) return this.quantile(q, now);
    const known = this.#byMethod.get(method);
    return known === undefined || known.count(now) < MIN_OF_METHOD ? undefined : known.quantile(q, now);
  }
}
