import { BalancerError } from '../../base/errors.js';
import { numberOption } from '../../base/options.js';
import { SlotHeap } from '../../base/slot-heap.js';
import { NONE } from '../../base/slot-lists.js';
import { type AffinityOptions, affinity, type HashIndex } from './affinity.js';
import { hash32 } from './hash.js';
import type { PickerFactory } from './picker.js';

export interface MaglevOptions extends AffinityOptions {
  /** How many places the table has: a prime, best 100 times the endpoints and more. Default 65,537 (Envoy). */
  readonly tableSize?: number;
}

/**
 * Affinity by a Maglev table (Eisenbud et al., "Maglev", NSDI 2016): the most even shares and the cheapest pick, at the
 * price of a table that is filled anew, in O(tableSize x log(endpoints)), by the first pick after a change of the set, and of some keys
 * moving that need not.
 *
 * For keys in fleets that seldom change, where even shares matter more than that a key stays. Where servers come and go,
 * `ringHash` moves no key but theirs.
 *
 * @throws BalancerError INVALID_OPTION
 */
export function maglev({ tableSize = 65_537, ...options }: MaglevOptions = {}): PickerFactory {
  numberOption('maglev.tableSize', tableSize, { min: 2, max: 5_000_011, integer: true });
  if (!isPrime(tableSize)) {
    throw new BalancerError('INVALID_OPTION', `maglev.tableSize is ${tableSize}, and must be a prime`);
  }
  return affinity('maglev', options, () => new MaglevIndex(tableSize));
}

interface Member {
  readonly slot: number;
  readonly address: string;
  readonly weight: number;
}

class MaglevIndex implements HashIndex {
  readonly #members = new Map<number, Member>();
  /** The slot of each place. */
  readonly #table: Int32Array;
  #stale = true;

  constructor(size: number) {
    this.#table = new Int32Array(size);
  }

  add(slot: number, address: string, weight: number): void {
    this.#members.set(slot, { slot, address, weight });
    this.#stale = true;
  }

  delete(slot: number): void {
    this.#members.delete(slot);
    this.#stale = true;
  }

  owner(hash: number): number {
    if (this.#stale) this.#fill();
    return this.#table[hash % this.#table.length]!;
  }

  any(hash: number): number {
    return this.owner(hash);
  }

  /**
   * Member by member, in an order that is the same in every process, each takes the first free one of its places: offset,
   * offset + skip, and so on. One of half the greatest weight takes one every second round (Envoy's way of weighing): its
   * nth in the first round that is n - 1 times the greatest weight over its own, or more. Rounds in which a member has no
   * turn are not gone through, or one great weight would cost as many rounds as there are places, with all members in each.
   */
  #fill(): void {
    this.#stale = false;
    const table = this.#table.fill(NONE);
    const size = table.length;
    const members = [...this.#members.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    const n = members.length;
    const places = Int32Array.from(members, ({ address }) => hash32(address, 0) % size);
    const skips = Int32Array.from(members, ({ address }) => (hash32(address, 1) % (size - 1)) + 1);
    const heaviest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
    const areEqual = members.every(({ weight }) => weight === heaviest);
    // Else, the next turn of each member, by its place in the order: the round, and within it that place.
    const turns = new SlotHeap();
    if (!areEqual) for (let i = 0; i < n; i++) turns.set(i, n + i);
    const due = new Float64Array(n);
    for (let filled = 0; filled < size && n > 0; filled++) {
      const i = areEqual ? filled % n : turns.top;
      const { slot, weight } = members[i]!;
      const skip = skips[i]!;
      let place = places[i]!;
      while (table[place] !== NONE) {
        place += skip;
        if (place >= size) place -= size;
      }
      table[place] = slot;
      places[i] = place;
      if (areEqual) continue;
      due[i]! += heaviest;
      const round = Math.floor(turns.topKey / n);
      // By then the table is full: in each round there is a turn of the heaviest.
      const next = Math.min(Math.max(round + 1, Math.ceil(due[i]! / weight)), size + 1);
      turns.postponeTop(next * n + i);
    }
  }
}

function isPrime(n: number): boolean {
  if (n % 2 === 0) return n === 2;
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false;
  return n > 1;
}
