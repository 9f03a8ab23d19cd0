/** How many are remembered: frames that come after the end of a stream come soon after it. */
const REMEMBERED = 64;

/** The streams that ended last, with everything said on both sides. */
export class ClosedIds {
  readonly #ids = new Int32Array(REMEMBERED);
  #next = 0;

  add(id: number): void {
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  has(id: number): boolean {
    return this.#ids.includes(id);
  }
}
