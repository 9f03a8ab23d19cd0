import type { Clock } from '../../../../base/clock.js';
import { ConnectionError, ErrorCode } from '../frames/protocol.js';

/**
 * How many frames that bring nothing a peer may send at once, and how many a second. A server may ping after each DATA
 * frame of ours to measure the path, and tell of its window after each: so whatever is of use pays for some that is not.
 * nghttp2 has such a limiter, of 10,000 and 330 a second ("glitches").
 */
const AT_ONCE = 10_000;
const PER_SECOND = 330;
/** What one frame of use pays for. */
const PAID_BY_USE = 8;
/** Answers of ours that may wait at a time for a peer that does not read. */
const MOST_OWED = 1_000;

/**
 * Bounds what a peer can make us do for nothing: SETTINGS, PING, RST_STREAM, WINDOW_UPDATE, empty DATA and CONTINUATION, and
 * frames that have to be ignored. Past the bound, the connection ends with ENHANCE_YOUR_CALM.
 */
export class Patience {
  #spent = 0;
  #since: number;
  #owed = 0;

  constructor(private readonly clock: Clock) {
    this.#since = clock.now();
  }

  /** A frame of use was sent or came. */
  useful(): void {
    this.#spent = this.#spent > PAID_BY_USE ? this.#spent - PAID_BY_USE : 0;
  }

  /** A frame came that is of no use. @throws {@link ConnectionError} */
  useless(what: string): void {
    if (++this.#spent <= AT_ONCE) return;
    const now = this.clock.now();
    this.#spent = Math.max(1, this.#spent - ((now - this.#since) / 1_000) * PER_SECOND);
    this.#since = now;
    if (this.#spent > AT_ONCE) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `a flood of ${what}`);
  }

  /** An answer was written. @throws {@link ConnectionError} */
  owe(): void {
    if (++this.#owed > MOST_OWED)
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'more answers are owed than are read');
  }

  /** What is owed was taken by the socket. */
  paid(): void {
    this.#owed = 0;
  }
}
