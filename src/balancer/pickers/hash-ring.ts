import { hash32, rehash } from './hash.js';
import { NONE, withRoom } from './slot-lists.js';

/** So many hashes of a key are looked up for its owner. */
const PROBES = 8;
const FEWEST_BITS = 4;

/**
 * A ring of 2^32 places with the points of its members on it. The owner of a key is whose point follows one of the key's
 * eight hashes most closely (Appleton and O'Reilly, "Multi-probe consistent hashing", 2015): with eight probes, 32
 * points a member keep the shares within some 5 % (one sd) of even, for which a single probe needs ten times as many.
 * A member that leaves gives up its own keys, one that joins takes what is its own, and no other key moves.
 *
 * The points lie in as many buckets as there are points, or up to twice that, by their first bits, each a short list in
 * order: lookups, additions and removals of a point take O(1) in the mean, and nothing ever moves the whole ring.
 */
export class HashRing {
  // Points, by number.
  #hash = new Uint32Array(16);
  #owner = new Int32Array(16);
  #next = new Int32Array(16);
  #unused = NONE;
  #numbers = 0;
  #size = 0;
  /** The first point of each bucket. */
  #first = new Int32Array(1 << FEWEST_BITS).fill(NONE);
  #shift = 32 - FEWEST_BITS;
  /** By slot; where two points fall on one place, the address decides who is first, the same in every process. */
  readonly #addresses: string[] = [];

  /** How many points there are. */
  get size(): number {
    return this.#size;
  }

  add(slot: number, address: string, points: number): void {
    this.#addresses[slot] = address;
    for (let n = 0; n < points; n++) {
      const point = this.#newPoint();
      this.#hash[point] = hash32(address, n);
      this.#owner[point] = slot;
      this.#insert(point);
      if (++this.#size > this.#first.length) this.#resize(this.#shift - 1);
    }
  }

  /** What was added with the same arguments. */
  delete(slot: number, address: string, points: number): void {
    for (let n = 0; n < points; n++) this.#remove(hash32(address, n), slot);
    const shift = Math.min(32 - FEWEST_BITS, Math.clz32(this.#size) + 1);
    if (shift > this.#shift + 2) this.#resize(shift);
  }

  /** The slot that a key of this hash belongs to. The ring must not be empty. */
  owner(hash: number): number {
    let best = NONE;
    let closest = Number.POSITIVE_INFINITY;
    for (let n = 0; n < PROBES; n++) {
      const place = rehash(hash, n);
      const point = this.#successor(place);
      const distance = (this.#hash[point]! - place) >>> 0;
      if (distance < closest) {
        best = point;
        closest = distance;
      }
    }
    return this.#owner[best]!;
  }

  /** The slot of the first point at or after a place. The ring must not be empty. */
  after(place: number): number {
    return this.#owner[this.#successor(place)]!;
  }

  #successor(place: number): number {
    const first = this.#first;
    let bucket = place >>> this.#shift;
    for (let point = first[bucket]!; point !== NONE; point = this.#next[point]!) {
      if (this.#hash[point]! >= place) return point;
    }
    do bucket = bucket + 1 === first.length ? 0 : bucket + 1;
    while (first[bucket] === NONE);
    return first[bucket]!;
  }

  #newPoint(): number {
    const point = this.#unused;
    if (point !== NONE) {
      this.#unused = this.#next[point]!;
      return point;
    }
    this.#hash = withRoom(this.#hash, this.#numbers);
    this.#owner = withRoom(this.#owner, this.#numbers);
    this.#next = withRoom(this.#next, this.#numbers);
    return this.#numbers++;
  }

  #insert(point: number): void {
    const bucket = this.#hash[point]! >>> this.#shift;
    let before = NONE;
    let after = this.#first[bucket]!;
    while (after !== NONE && this.#precedes(after, point)) {
      before = after;
      after = this.#next[after]!;
    }
    this.#next[point] = after;
    if (before === NONE) this.#first[bucket] = point;
    else this.#next[before] = point;
  }

  #remove(hash: number, slot: number): void {
    const bucket = hash >>> this.#shift;
    let before = NONE;
    let point = this.#first[bucket]!;
    while (point !== NONE && (this.#hash[point] !== hash || this.#owner[point] !== slot)) {
      before = point;
      point = this.#next[point]!;
    }
    if (point === NONE) return;
    if (before === NONE) this.#first[bucket] = this.#next[point]!;
    else this.#next[before] = this.#next[point]!;
    this.#next[point] = this.#unused;
    this.#unused = point;
    this.#size--;
  }

  #precedes(a: number, b: number): boolean {
    const distance = this.#hash[a]! - this.#hash[b]!;
    return distance < 0 || (distance === 0 && this.#addressOf(a) < this.#addressOf(b));
  }

  #addressOf(point: number): string {
    return this.#addresses[this.#owner[point]!]!;
  }

  /** From the last bucket to the first, so that each new list is built from its end: every step takes O(1). */
  #resize(shift: number): void {
    const points: number[] = [];
    for (const first of this.#first) {
      for (let point = first; point !== NONE; point = this.#next[point]!) points.push(point);
    }
    this.#shift = shift;
    this.#first = new Int32Array(2 ** (32 - shift)).fill(NONE);
    for (let i = points.length - 1; i >= 0; i--) {
      const bucket = this.#hash[points[i]!]! >>> shift;
      this.#next[points[i]!] = this.#first[bucket]!;
      this.#first[bucket] = points[i]!;
    }
  }
}
