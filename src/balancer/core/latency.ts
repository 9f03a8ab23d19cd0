/** Buckets of 2^(1/8): a percentile is known within 9 %. From 0.01 ms (bucket 0) to about 18 hours. */
const PER_DOUBLING = 8;
const SMALLEST_MS = 0.01;
const BUCKETS = 33 * PER_DOUBLING;
/** Two spans, the present one filling: what is read covers the last one to two of them. */
const SPAN_MS = 10_000;

/**
 * The latencies of the last 10 to 20 s, for percentiles. Recording costs a logarithm; memory is fixed. A reading changes
 * nothing.
 */
export class LatencyHistogram {
  #present = new Uint32Array(BUCKETS);
  #past = new Uint32Array(BUCKETS);
  #presentCount = 0;
  #pastCount = 0;
  /** Spans are counted from time 0, whenever it is looked: so a reading cannot move them. */
  #span = 0;

  record(latencyMs: number, now: number): void {
    this.#turn(now);
    const at = Math.floor(Math.log2(Math.max(latencyMs, SMALLEST_MS) / SMALLEST_MS) * PER_DOUBLING);
    this.#present[Math.min(at, BUCKETS - 1)]! += 1;
    this.#presentCount++;
  }

  /** How many latencies a percentile would stand on. */
  count(now: number): number {
    this.#turn(now);
    return this.#presentCount + this.#pastCount;
  }

  /** The upper bound of the bucket in which the quantile (0 to 1) lies, in milliseconds; undefined without any. */
  quantile(q: number, now: number): number | undefined {
    const total = this.count(now);
    if (total === 0) return undefined;
    let left = Math.max(1, Math.ceil(q * total));
    let at = 0;
    for (; at < BUCKETS - 1; at++) {
      left -= this.#present[at]! + this.#past[at]!;
      if (left <= 0) break;
    }
    return SMALLEST_MS * 2 ** ((at + 1) / PER_DOUBLING);
  }

  #turn(now: number): void {
    const span = Math.floor(now / SPAN_MS);
    const passed = span - this.#span;
    if (passed === 0) return;
    const spare = this.#past;
    spare.fill(0);
    if (passed === 1) {
      this.#past = this.#present;
      this.#pastCount = this.#presentCount;
      this.#present = spare;
    } else {
      this.#present.fill(0);
      this.#pastCount = 0;
    }
    this.#presentCount = 0;
    this.#span = span;
  }
}
