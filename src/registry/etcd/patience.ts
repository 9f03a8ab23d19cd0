/** However far etcd is, this is the most that is waited for an answer, in milliseconds. */
const MOST_MS = 30_000;
/** The most that is waited for a member that has not answered yet, in milliseconds: more and one that has gone holds up the next. */
const MOST_UNPROVEN_MS = 5_000;
/** The most that is waited for a sign of life from an etcd that is not far away, in milliseconds. */
const MOST_ANSWER_MS = 4_000;
/** Round trips that a call is given: one, and as much again, for etcd has to write to its disks. */
const CALL = 2;
/** Of a call that has to connect first: TCP, TLS (two) and HTTP/2's settings come before it. */
const CONNECTING = 4 + CALL;

/**
 * How long etcd may take to answer: as long as was said, more where that was waited for in vain, and more where answers
 * were measured to take long. An etcd half a second away would otherwise be given up before it can have answered.
 *
 * Measured as TCP measures its retransmission timeout (RFC 6298, section 2): SRTT + 4 RTTVAR.
 */
export class Patience {
  readonly #members: number;
  #smoothedMs: number | undefined;
  #variationMs = 0;
  #inVain = 0;

  /** @param members - how many there are: each is given its time once before any is given more. */
  constructor(members: number) {
    this.#members = members;
  }

  /**
   * An answer came, so long after its question.
   *
   * @param connecting - the question had to wait for the connection, which takes a round trip at least: half is counted.
   */
  measured(ms: number, { connecting = false } = {}): void {
    const roundTripMs = connecting ? ms / 2 : ms;
    this.#inVain = 0;
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = roundTripMs;
      this.#variationMs = roundTripMs / 2;
      return;
    }
    this.#variationMs += (Math.abs(this.#smoothedMs - roundTripMs) - this.#variationMs) / 4;
    this.#smoothedMs += (roundTripMs - this.#smoothedMs) / 8;
  }

  /** No answer came in time. */
  gaveUp(): void {
    this.#inVain += 1;
  }

  /**
   * How long an answer may take that etcd has at hand, at least `baseMs`. No more than {@link MOST_ANSWER_MS}, or twice
   * what answers take, where that is more: whoever waits for it cannot say that etcd has gone.
   */
  answerMs(baseMs: number): number {
    const most = Math.max(baseMs, MOST_ANSWER_MS, 2 * (this.#smoothedMs ?? 0));
    return Math.min(this.#atLeast(baseMs, 1), most);
  }

  /** How long a call may take, at least `baseMs`. */
  callMs(baseMs: number, { connecting }: { readonly connecting: boolean }): number {
    return this.#atLeast(baseMs, connecting ? CONNECTING : CALL);
  }

  #atLeast(baseMs: number, roundTrips: number): number {
    const doubled = baseMs * 2 ** Math.min(Math.floor(this.#inVain / this.#members), 10);
    const unproven = Math.min(doubled, Math.max(baseMs, MOST_UNPROVEN_MS));
    const measured = ((this.#smoothedMs ?? 0) + 4 * this.#variationMs) * roundTrips;
    return Math.max(unproven, Math.min(measured, MOST_MS));
  }
}
