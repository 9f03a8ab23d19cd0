/**
 * Moments at which calls run out of time, for deadlines that are all equally far away: then they fall due in the order
 * in which they were set, and a ring does what a heap would do in O(log n). It holds every call for its whole
 * timeout, ended or not, which is why they are kept out of the queue of events.
 *
 * An entry names its call by index and generation: one whose generation is over has ended in time.
 */
export class Deadlines {
  #at = new Float64Array(1024);
  #ids = new Int32Array(1024);
  #generations = new Int32Array(1024);
  #first = 0;
  #size = 0;

  /** The next of them; `Infinity` without one. */
  get nextAt(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#at[this.#first]!;
  }

  /** The index of the call of the next one. */
  get nextId(): number {
    return this.#ids[this.#first]!;
  }

  get nextGeneration(): number {
    return this.#generations[this.#first]!;
  }

  /** @param at - not before any that was pushed already. */
  push(at: number, id: number, generation: number): void {
    if (this.#size === this.#at.length) this.#grow();
    const place = (this.#first + this.#size++) & (this.#at.length - 1);
    this.#at[place] = at;
    this.#ids[place] = id;
    this.#generations[place] = generation;
  }

  shift(): void {
    this.#first = (this.#first + 1) & (this.#at.length - 1);
    this.#size--;
  }

  #grow(): void {
    const size = this.#at.length;
    const first = this.#first;
    const unrolled = <T extends Int32Array | Float64Array>(from: T): T => {
      const grown = new (from.constructor as new (length: number) => T)(2 * size);
      grown.set(from.subarray(first));
      grown.set(from.subarray(0, first), size - first);
      return grown;
    };
    this.#at = unrolled(this.#at);
    this.#ids = unrolled(this.#ids);
    this.#generations = unrolled(this.#generations);
    this.#first = 0;
  }
}
