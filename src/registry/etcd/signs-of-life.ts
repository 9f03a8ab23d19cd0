import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import type { Patience } from './patience.js';

/** How long the stream may be silent before etcd is asked to say something, in milliseconds. */
const BEAT_MS = 2_000;
/** How long etcd may take to say it, in milliseconds, unless it was measured to be far away. */
const GRACE_MS = 2_000;
/** A timer this late, in milliseconds, says more of this process than of etcd. */
const LATE_MS = 500;

export interface SignsOfLifeOptions {
  readonly clock: Clock;
  readonly patience: Patience;
  /** Sends a progress request on the stream. */
  readonly ask: () => void;
  /** Proves by a linearizable read that etcd is there, and is the one that it was; rejects when it is not. */
  readonly read: (timeoutMs: number) => Promise<void>;
  /** Hears, once, that there is no sign of life. */
  readonly onDead: (cause: Error) => void;
}

/** How the peer proves that it lives when nothing changes. */
type Proof =
  /** It is not known yet what it answers: it is asked both ways. */
  | 'untried'
  /** By answers to progress requests on the stream itself: etcd. One that stays away is the end. */
  | 'progress'
  /** By reads beside the stream: `etcd grpc-proxy`, which never answers a progress request and logs each as an error. */
  | 'read';

/**
 * Tells a watch stream on which nothing happens from one that is dead, by asking for a sign of life after every
 * {@link BEAT_MS} of silence.
 */
export class SignsOfLife {
  readonly #options: SignsOfLifeOptions;
  #proof: Proof = 'untried';
  /** The timer to the next beat, or while an answer is awaited, to the end of the wait for it. */
  #timer: { readonly kind: 'beat' | 'silence'; readonly cancel: () => void } | undefined;
  #cancelSecondAsk: () => void = () => {};
  #askedAt: number;
  /** Counts the questions; what a read of an earlier one says is no news. */
  #round = 0;
  /** The read of this round was answered. */
  #wasRead = false;
  #stopped = false;

  /** The stream has been asked for its first word just now. */
  constructor(options: SignsOfLifeOptions) {
    this.#options = options;
    this.#askedAt = options.clock.now();
    this.#awaitAnswer();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimers();
  }

  /** The answer to the first question, or to a progress request. */
  answered(to: 'first' | 'progress'): void {
    const { clock, patience } = this.#options;
    if (this.#timer?.kind === 'silence') {
      const tookMs = clock.now() - this.#askedAt;
      // An answer later than that is one that this process was late to read.
      if (tookMs <= patience.answerMs(GRACE_MS)) patience.measured(tookMs);
      if (to === 'progress' && this.#proof === 'untried') this.#proof = 'progress';
    }
    this.heard();
  }

  /** Anything came on the stream. */
  heard(): void {
    if (this.#stopped || this.#timer?.kind === 'beat') return;
    this.#cancelTimers();
    this.#round += 1;
    this.#timer = { kind: 'beat', cancel: this.#options.clock.after(BEAT_MS, () => this.#ask()) };
  }

  #ask(): void {
    const { clock, patience, ask } = this.#options;
    this.#askedAt = clock.now();
    this.#wasRead = false;
    this.#awaitAnswer();
    if (this.#proof !== 'read') {
      ask();
      // etcd drops a progress request that comes while the watch is catching up, which takes it a moment.
      this.#cancelSecondAsk = clock.after(patience.answerMs(GRACE_MS) / 2, ask);
    }
    if (this.#proof !== 'progress') void this.#read(patience.answerMs(GRACE_MS));
  }

  async #read(timeoutMs: number): Promise<void> {
    const round = this.#round;
    const isOver = () => this.#stopped || round !== this.#round;
    try {
      await this.#options.read(timeoutMs);
      if (isOver()) return;
      this.#wasRead = true;
      if (this.#proof === 'read') this.heard();
    } catch (thrown) {
      if (!isOver()) this.#die(asError(thrown));
    }
  }

  #awaitAnswer(again = false): void {
    const { clock, patience } = this.#options;
    const graceMs = patience.answerMs(GRACE_MS);
    const dueAt = clock.now() + graceMs;
    const cancel = clock.after(graceMs, () => {
      // This process stood still: what etcd has said meanwhile is still to be read.
      if (!again && clock.now() - dueAt > LATE_MS) return this.#awaitAnswer(true);
      if (this.#wasRead) {
        this.#proof = 'read';
        return this.heard();
      }
      patience.gaveUp();
      this.#die(new Error(`etcd was silent for ${(BEAT_MS + graceMs) / 1000} s`));
    });
    this.#timer = { kind: 'silence', cancel };
  }

  #cancelTimers(): void {
    this.#timer?.cancel();
    this.#cancelSecondAsk();
  }

  #die(cause: Error): void {
    this.stop();
    this.#options.onDead(cause);
  }
}
