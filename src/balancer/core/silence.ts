import { Status } from '../../base/errors.js';
import { answerOf } from '../pickers/answer.js';
import type { Outcome } from '../pickers/picker.js';

/** A connection on which calls run out of time, and nothing was answered for so long, may be dead. */
const SUSPECT_MS = 1_000;
/** It is not suspected again before this: a server that is only slow would be connected anew over and over. */
const AGAIN_MS = 10_000;

interface Silent {
  /** When the first call began that ran out of time, with no answer since; `Infinity` after an answer. */
  since: number;
  suspectedAt: number;
}

/**
 * Finds connections that died without a word: a firewall or an address translator forgot them, or their packets go nowhere.
 * TCP tells of it after minutes, and keepalive pings come too seldom to rely on. Pure.
 */
export class Silence<R> {
  /** Rows on which a call has lately run out of time: few, as a rule none. */
  readonly #silent = new Map<R, Silent>();

  /**
   * A call has ended on a READY row. True when its connection is to be doubted for it.
   *
   * @param readySince - what began before was another connection's.
   */
  finished(row: R, outcome: Outcome, readySince: number, now: number): boolean {
    const { latencyMs } = outcome;
    if (outcome.code === Status.OK && this.#silent.size === 0) return false;
    if (latencyMs === undefined || now - latencyMs < readySince) return false;
    const answer = answerOf(outcome);
    if (answer === 'nothing') return false;
    let silent = this.#silent.get(row);
    if (answer !== 'late') {
      if (silent !== undefined) this.#answered(row, silent, now);
      return false;
    }
    if (silent === undefined) {
      silent = { since: Number.POSITIVE_INFINITY, suspectedAt: Number.NEGATIVE_INFINITY };
      this.#silent.set(row, silent);
    }
    silent.since = Math.min(silent.since, now - latencyMs);
    if (now - silent.since < SUSPECT_MS || now - silent.suspectedAt < AGAIN_MS) return false;
    silent.suspectedAt = now;
    return true;
  }

  /** Its connection is another, or gone. */
  forget(row: R): void {
    this.#silent.delete(row);
  }

  #answered(row: R, silent: Silent, now: number): void {
    silent.since = Number.POSITIVE_INFINITY;
    if (now - silent.suspectedAt >= AGAIN_MS) this.#silent.delete(row);
  }
}
