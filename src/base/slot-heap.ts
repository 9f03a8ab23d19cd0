import { NONE, withRoom } from './slot-lists.js';

/** Children of a node, which `#down` compares pair by pair: half as many levels as with two, and their keys lie together. */
const ARITY = 4;
/** After the last key, where the children of a node are fewer: no other key is greater. */
const NO_KEY = Number.POSITIVE_INFINITY;

/**
 * A min-heap of slots by key (Johnson, "Priority queues with update and finding minimum spanning trees", 1975). A slot is
 * in it once at most. O(log n), and allocates nothing but to grow.
 */
export class SlotHeap {
  /** In heap order, and after them as many times {@link NO_KEY} as a node has children. */
  #keys = new Float64Array(16).fill(NO_KEY);
  #slots = new Int32Array(16);
  /** Where a slot stands, counted from 1; 0 where it does not. */
  #places = new Int32Array(16);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The slot with the smallest key, or {@link NONE}. */
  get top(): number {
    return this.#size === 0 ? NONE : this.#slots[0]!;
  }

  /** The smallest key; `Infinity` when there is none. */
  get topKey(): number {
    return this.#keys[0]!;
  }

  has(slot: number): boolean {
    return slot < this.#places.length && this.#places[slot] !== 0;
  }

  keyOf(slot: number): number {
    return this.#keys[this.#places[slot]! - 1]!;
  }

  /** Puts the slot in, or gives it another key. */
  set(slot: number, key: number): void {
    this.#places = withRoom(this.#places, slot);
    const at = this.#places[slot]! - 1;
    if (at < 0) {
      this.#makeRoom();
      this.#slots = withRoom(this.#slots, this.#size);
      this.#up(this.#size++, slot, key);
    } else if (key < this.#keys[at]!) this.#up(at, slot, key);
    else this.#down(at, slot, key);
  }

  /** Gives the slot on top another key, which must be no smaller. */
  postponeTop(key: number): void {
    this.#down(0, this.#slots[0]!, key);
  }

  /** Takes the slot out; one that is not there is let be. */
  delete(slot: number): void {
    if (!this.has(slot)) return;
    const at = this.#places[slot]! - 1;
    this.#places[slot] = 0;
    this.#size--;
    if (at === this.#size) {
      this.#keys[at] = NO_KEY;
      return;
    }
    const last = this.#slots[this.#size]!;
    const key = this.#keys[this.#size]!;
    this.#keys[this.#size] = NO_KEY;
    if (at > 0 && key < this.#keys[parentOf(at)]!) this.#up(at, last, key);
    else this.#down(at, last, key);
  }

  /** The nth slot, in no order but that the first is the top. */
  at(index: number): number {
    return this.#slots[index]!;
  }

  #up(from: number, slot: number, key: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const places = this.#places;
    let at = from;
    while (at > 0) {
      const parent = parentOf(at);
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      slots[at] = slots[parent]!;
      places[slots[at]!] = at + 1;
      at = parent;
    }
    keys[at] = key;
    slots[at] = slot;
    places[slot] = at + 1;
  }

  #down(from: number, slot: number, key: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const places = this.#places;
    const size = this.#size;
    let at = from;
    for (let first = ARITY * at + 1; first < size; first = ARITY * at + 1) {
      // Added, not branched on: which child is smallest cannot be guessed, and a wrong guess costs more than the rest.
      const left = first + Number(keys[first + 1]! < keys[first]!);
      const right = first + 2 + Number(keys[first + 3]! < keys[first + 2]!);
      const child = left + (right - left) * Number(keys[right]! < keys[left]!);
      if (key <= keys[child]!) break;
      keys[at] = keys[child]!;
      slots[at] = slots[child]!;
      places[slots[at]!] = at + 1;
      at = child;
    }
    keys[at] = key;
    slots[at] = slot;
    places[slot] = at + 1;
  }

  #makeRoom(): void {
    const { length } = this.#keys;
    if (this.#size + ARITY < length) return;
    this.#keys = withRoom(this.#keys, this.#size + ARITY);
    this.#keys.fill(NO_KEY, length);
  }
}

function parentOf(at: number): number {
  return (at - 1) >> 2;
}
