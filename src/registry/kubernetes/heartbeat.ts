import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';

/** How often an API server is asked whether it is there, in milliseconds. A ping of HTTP/2 costs it next to nothing. */
const BEAT_MS = 2_000;
/** How long it may take to say so, in milliseconds. */
const GRACE_MS = 2_000;
/** A timer this late, in milliseconds, says more of this process than of the server. */
const LATE_MS = 500;

/** Finds out within 4 s that nobody is at the other end. */
export class Heartbeat {
  /** Rejects when the connection is dead; else it never settles. */
  readonly dead: Promise<never>;
  readonly #clock: Clock;
  readonly #ping: () => Promise<void>;
  #die: (cause: Error) => void = () => {};
  #cancel = () => {};
  #stopped = false;
  #heardAt: number;

  constructor(clock: Clock, ping: () => Promise<void>) {
    this.#clock = clock;
    this.#ping = ping;
    this.#heardAt = clock.now();
    this.dead = new Promise((_, reject) => {
      this.#die = reject;
    });
    // Whoever waits for it may have come to an end of its own before.
    this.dead.catch(() => {});
    this.#scheduleBeat();
  }

  /** Something came: a ping may wait behind a long answer. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #scheduleBeat(): void {
    this.#cancel = this.#clock.after(BEAT_MS, () => this.#beat(), true);
  }

  #beat(): void {
    const askedAt = this.#clock.now();
    this.#ping().then(
      () => {
        if (this.#stopped) return;
        this.#cancel();
        this.#scheduleBeat();
      },
      (thrown: unknown) => {
        if (this.#stopped) return;
        this.stop();
        this.#die(asError(thrown));
      },
    );
    this.#awaitAnswer(askedAt);
  }

  #awaitAnswer(askedAt: number, again = false): void {
    const dueAt = this.#clock.now() + GRACE_MS;
    this.#cancel = this.#clock.after(
      GRACE_MS,
      () => {
        const late = this.#clock.now() - dueAt > LATE_MS;
        if (this.#heardAt > askedAt) return this.#awaitAnswer(this.#clock.now());
        // This process stood still: what the server has said meanwhile is still to be read.
        if (late && !again) return this.#awaitAnswer(askedAt, true);
        this.stop();
        this.#die(new Error(`the API server was silent for ${(BEAT_MS + GRACE_MS) / 1_000} s`));
      },
      true,
    );
  }
}
