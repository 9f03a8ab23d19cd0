import { BalancerError } from '../../base/errors.js';
import { numberOption } from '../../base/options.js';
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
 * price of a table that is filled anew, in O(tableSize), by the first pick after a change of the set, and of some keys
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
   * offset + skip, and so on. One of half the greatest weight takes one every second round (Envoy's way of weighing).
   */
  #fill(): void {
    this.#stale = false;
    const table = this.#table.fill(NONE);
    const size = table.length;
    const members = [...this.#members.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    const places = Int32Array.from(members, ({ address }) => hash32(address, 0) % size);
    const skips = Int32Array.from(members, ({ address }) => (hash32(address, 1) % (size - 1)) + 1);
    const weights = Float64Array.from(members, ({ weight }) => weight);
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    const due = new Float64Array(members.length);
    for (let round = 1, filled = 0; ; round++) {
      for (let i = 0; i < members.length; i++) {
        if (round * weights[i]! < due[i]!) continue;
        due[i]! += heaviest;
        const skip = skips[i]!;
        let place = places[i]!;
        while (table[place] !== NONE) {
          place += skip;
          if (place >= size) place -= size;
        }
        table[place] = members[i]!.slot;
        places[i] = place;
        if (++filled === size) return;
      }
    }
  }
}

function isPrime(n: number): boolean {
  if (n % 2 === 0) return n === 2;
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false;
  return n > 1;
}
