import { hash32, mix32, rehash } from './hash.js';

/** So many hashes of a key are looked up for its owner. */
const PROBES = 4;
const SMALLEST = 16;
/** Cells after the last home, for the points that find no room where they belong. */
const OVERHANG = 32;
const EMPTY = 0;
const LAST_PLACE = 2 ** 32 - 1;

/**
 * A ring of 2^32 places with the points of its members on it. The owner of a key is whose point follows one of the key's
 * hashes most closely (Appleton and O'Reilly, "Multi-probe consistent hashing", 2015): with four probes, 32 points
 * a member keep the shares within some 7 % (one sd) of even, for which a single probe needs 200.
 * A member that leaves gives up its own keys, one that joins takes what is its own, and no other key moves.
 *
 * The points lie in order in a table of 4/3 to 8/3 as many cells, each in the cell that its first bits name or as little
 * after it as the others allow: a sorted hash table with linear probing (Amble and Knuth, "Ordered hash tables",
 * 1974). A lookup, addition or removal of a point takes O(1) in the mean, and a probe one cache line.
 */
export class HashRing {
  /**
   * The place of the point in each cell, or {@link EMPTY}: less than any, so that it never ends a search. In the last
   * cell is no point, but the last place, which ends every search.
   */
  #places = emptyCells(SMALLEST);
  /** The slot of the point in each cell. */
  #owners = new Int32Array(SMALLEST + OVERHANG);
  #homes = SMALLEST;
  #shift = 32 - Math.log2(SMALLEST);
  #size = 0;
  /** By slot; where two points fall on one place, the address decides who is first, the same in every process. */
  readonly #addresses: string[] = [];

  /** How many points there are. */
  get size(): number {
    return this.#size;
  }

  add(slot: number, address: string, points: number): void {
    this.#addresses[slot] = address;
    const [start, step] = [hash32(address, 0), hash32(address, 1)];
    for (let n = 0; n < points; n++) {
      if (++this.#size > 0.75 * this.#homes) this.#resize(2 * this.#homes);
      this.#insert(nthPlace(start, step, n), slot);
    }
  }

  /** What was added with the same arguments. */
  delete(slot: number, address: string, points: number): void {
    const [start, step] = [hash32(address, 0), hash32(address, 1)];
    for (let n = 0; n < points; n++) this.#remove(nthPlace(start, step, n), slot);
    this.#size -= points;
    if (this.#homes > SMALLEST && this.#size < this.#homes / 8) this.#resize(this.#homes / 2);
  }

  /** The slot that a key of this hash belongs to. The ring must not be empty. */
  owner(hash: number): number {
    let best = 0;
    let closest = LAST_PLACE;
    for (let n = 0; n < PROBES; n++) {
      const place = rehash(hash, n);
      const cell = this.#successor(place);
      const distance = (this.#places[cell]! - place) >>> 0;
      if (distance <= closest) {
        best = cell;
        closest = distance;
      }
    }
    return this.#owners[best]!;
  }

  /** The slot of the first point at or after a place. The ring must not be empty. */
  after(place: number): number {
    return this.#owners[this.#successor(place)]!;
  }

  #successor(place: number): number {
    const places = this.#places;
    const sought = place === EMPTY ? 1 : place;
    let cell = place >>> this.#shift;
    while (places[cell]! < sought) cell++;
    return cell < places.length - 1 ? cell : this.#first();
  }

  #first(): number {
    let cell = 0;
    while (this.#places[cell] === EMPTY) cell++;
    return cell;
  }

  #insert(place: number, owner: number): void {
    const places = this.#places;
    let cell = place >>> this.#shift;
    while (places[cell] !== EMPTY && this.#precedes(cell, place, owner)) cell++;
    let end = cell;
    while (places[end] !== EMPTY && end < places.length - 1) end++;
    if (end === places.length - 1) {
      this.#resize(2 * this.#homes);
      this.#insert(place, owner);
      return;
    }
    places.copyWithin(cell + 1, cell, end);
    this.#owners.copyWithin(cell + 1, cell, end);
    places[cell] = place;
    this.#owners[cell] = owner;
  }

  /** Those that stand further back than they need to because of it move up. */
  #remove(place: number, owner: number): void {
    const places = this.#places;
    let cell = place >>> this.#shift;
    while (places[cell] !== place || this.#owners[cell] !== owner) cell++;
    let end = cell + 1;
    while (end < places.length - 1 && places[end]! !== EMPTY && places[end]! >>> this.#shift < end) end++;
    places.copyWithin(cell, cell + 1, end);
    this.#owners.copyWithin(cell, cell + 1, end);
    places[end - 1] = EMPTY;
  }

  #precedes(cell: number, place: number, owner: number): boolean {
    const other = this.#places[cell]!;
    if (other !== place) return other < place;
    return this.#addresses[this.#owners[cell]!]! < this.#addresses[owner]!;
  }

  #resize(homes: number): void {
    const places = this.#places.subarray(0, -1);
    const owners = this.#owners;
    this.#places = emptyCells(homes);
    this.#owners = new Int32Array(homes + OVERHANG);
    this.#homes = homes;
    this.#shift = 32 - Math.log2(homes);
    for (const [cell, place] of places.entries()) {
      if (place !== EMPTY) this.#insert(place, owners[cell]!);
    }
  }
}

function emptyCells(homes: number): Uint32Array {
  const places = new Uint32Array(homes + OVERHANG);
  places[places.length - 1] = LAST_PLACE;
  return places;
}

/** Where an address has its nth point, by two hashes: addresses that have one in common must not share all places. */
function nthPlace(start: number, step: number, n: number): number {
  return mix32(start + Math.imul(n, step | 1)) || 1;
}
