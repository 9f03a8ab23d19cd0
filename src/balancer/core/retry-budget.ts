import { numberOption, objectOption } from '../../base/options.js';

/** How many retries a pool may make. */
export interface RetryBudgetOptions {
  /** Retries and hedges, as a share of the calls made. Default 0.2. */
  readonly ratio?: number;
  /** And so many a second beside, so that a pool with few calls may retry at all. Default 10. */
  readonly minPerSecond?: number;
}

const SECONDS = 10;

/**
 * A retry budget over the last 10 s (Finagle's, 20 % + 10/s): with it an outage costs a fifth more calls, not as many
 * times more as there are attempts.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #minimum: number;
  readonly #calls = new Float64Array(SECONDS);
  readonly #retries = new Float64Array(SECONDS);
  #second = 0;

  constructor(given: RetryBudgetOptions = {}) {
    const { ratio = 0.2, minPerSecond = 10 } = objectOption('retryBudget', given, {
      ratio: true,
      minPerSecond: true,
    });
    this.#ratio = numberOption('retryBudget.ratio', ratio, { min: 0 });
    this.#minimum = numberOption('retryBudget.minPerSecond', minPerSecond, { min: 0 }) * SECONDS;
  }

  /** A call has been made. */
  called(now: number): void {
    const at = this.#at(now);
    this.#calls[at]! += 1;
  }

  /** Whether the call may be tried once more; if so, that is counted. */
  tryRetry(now: number): boolean {
    const at = this.#at(now);
    if (sum(this.#retries) + 1 > sum(this.#calls) * this.#ratio + this.#minimum) return false;
    this.#retries[at]! += 1;
    return true;
  }

  /** Where the present second is counted, those that have passed since the last one being cleared. */
  #at(now: number): number {
    const second = Math.floor(now / 1_000);
    if (second > this.#second) {
      for (let s = Math.max(this.#second + 1, second - SECONDS + 1); s <= second; s++) {
        this.#calls[s % SECONDS] = 0;
        this.#retries[s % SECONDS] = 0;
      }
      this.#second = second;
    }
    return second % SECONDS;
  }
}

function sum(counts: Float64Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
