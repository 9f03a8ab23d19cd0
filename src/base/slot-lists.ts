/** No slot. */
export const NONE = -1;

/** The array, or a copy twice as long or longer, with room for index `slot`. New places are 0. */
export function withRoom<T extends Int32Array | Uint32Array | Float64Array>(array: T, slot: number): T {
  if (slot < array.length) return array;
  const grown = new (array.constructor as new (length: number) => T)(Math.max(slot + 1, array.length * 2));
  grown.set(array);
  return grown;
}

/**
 * Circular, doubly linked lists over slots. A slot is in one list at most; a list is known by its first slot, and
 * {@link NONE} is the empty one. Every operation is O(1) and allocates nothing, but for `append` of the highest slot
 * so far. Two typed arrays rather than nodes: no garbage, no write barriers, and 10,000 slots fit the cache.
 */
export class SlotLists {
  #next = new Int32Array(16);
  #previous = new Int32Array(16);

  /** The slot after this one in its list; the first after the last. */
  next(slot: number): number {
    return this.#next[slot]!;
  }

  /** Puts a slot that is in no list at the end of one. Returns the first slot of that list. */
  append(first: number, slot: number): number {
    if (slot >= this.#next.length) {
      this.#next = withRoom(this.#next, slot);
      this.#previous = withRoom(this.#previous, slot);
    }
    if (first === NONE) {
      this.#next[slot] = slot;
      this.#previous[slot] = slot;
      return slot;
    }
    const last = this.#previous[first]!;
    this.#next[last] = slot;
    this.#previous[slot] = last;
    this.#next[slot] = first;
    this.#previous[first] = slot;
    return first;
  }

  /** Takes a slot out of its list. Returns the first slot of what is left. */
  remove(first: number, slot: number): number {
    const next = this.#next[slot]!;
    if (next === slot) return NONE;
    const previous = this.#previous[slot]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    return first === slot ? next : first;
  }
}
