import type { Clock } from '../../../../base/clock.js';
import { ConnectionError, ErrorCode } from '../frames/protocol.js';
import type { Session } from './session.js';

export interface KeepAliveOptions {
  /** After this time without a word of the server's it is asked whether it is there, in milliseconds; `Infinity`: never. */
  readonly timeMs: number;
  /** How long it may take to say so, in milliseconds. */
  readonly timeoutMs: number;
  /** Also while no call is open. Servers take that amiss unless they are told to expect it (gRFC A8). */
  readonly withoutCalls: boolean;
}

/** Tells our pings from others. */
const PING = Buffer.from('evenkeel', 'latin1');

/**
 * Finds a connection that is dead without a word (gRFC A8). One timer a connection, which looks when it falls due whether
 * anything came meanwhile: calls do not touch it.
 */
export class KeepAlive {
  #cancelTimer = () => {};
  #asked = false;

  constructor(
    private readonly session: Session,
    private readonly options: KeepAliveOptions,
    private readonly clock: Clock,
  ) {}

  start(): void {
    if (this.options.timeMs !== Number.POSITIVE_INFINITY) this.#lookIn(this.options.timeMs);
  }

  stop(): void {
    this.#cancelTimer();
  }

  /** An answer to a ping came; whose it is, its data tells. */
  answered(data: Buffer): void {
    if (!this.#asked || !data.equals(PING)) return;
    this.#asked = false;
    this.#cancelTimer();
    this.#lookIn(this.options.timeMs);
  }

  #lookIn(ms: number): void {
    this.#cancelTimer = this.clock.after(ms, () => this.#look(), true);
  }

  #look(): void {
    const { session, options, clock } = this;
    const quietMs = clock.now() - session.readAt;
    if (quietMs < options.timeMs) {
      this.#lookIn(options.timeMs - quietMs);
      return;
    }
    if (session.streams.size === 0 && !options.withoutCalls) {
      this.#lookIn(options.timeMs);
      return;
    }
    this.#asked = true;
    session.output.ping(PING, false);
    session.wrote();
    const askedAt = clock.now();
    this.#cancelTimer = clock.after(options.timeoutMs, () => this.#judge(askedAt), true);
  }

  /** Whoever says anything is there, though it may not answer pings. */
  #judge(askedAt: number): void {
    this.#asked = false;
    const { timeMs, timeoutMs } = this.options;
    if (this.session.readAt > askedAt) this.#lookIn(timeMs);
    else this.session.fail(new ConnectionError(ErrorCode.NO_ERROR, `no answer to a ping in ${timeoutMs} ms`));
  }
}
