import { SlotHeap } from '../../base/slot-heap.js';
import { hash32 } from '../pickers/hash.js';
import type { Row } from './row.js';

/** Which part of a big fleet this client connects to. */
export interface SubsetOptions {
  /** How many endpoints, an integer of 1 or more. */
  readonly size: number;
  /** Clients of different seeds choose independently; the same seed chooses the same. */
  readonly seed: number;
}

/**
 * A stable random subset of the rows, by rendezvous hashing of their addresses with the client's seed (gRFC A68; Thaler
 * and Ravishankar, 1996): those with the smallest hashes are members, so that one address more or less changes one
 * member at most. Members that fail are kept, to be tried again, and made up for by the next in order until they are
 * well. O(log n) a change.
 *
 * For big fleets with many clients: 1,000 clients of 10,000 servers would be ten million connections, and with a size of 50
 * are 50,000, of which each server has 5, give or take 2 (a binomial number).
 */
export class Subset<L> {
  /** Members by falling hash, so that the last of them is on top; the others by rising hash. */
  readonly #members = new SlotHeap();
  readonly #others = new SlotHeap();
  readonly #rows: (Row<L> | undefined)[] = [];
  readonly #failed = new Set<number>();

  /** @param moved - a row has become a member, or has ceased to be one. */
  constructor(
    private readonly options: SubsetOptions,
    private readonly moved: (row: Row<L>, member: boolean) => void,
  ) {}

  has(row: Row<L>): boolean {
    return this.#members.has(row.slot);
  }

  add(row: Row<L>): void {
    const score = this.#score(row.endpoint.address);
    this.#rows[row.slot] = row;
    if (score < -this.#members.topKey) this.#enter(row.slot, score);
    else this.#others.set(row.slot, score);
    this.#rebalance();
  }

  delete(row: Row<L>): void {
    this.#members.delete(row.slot);
    this.#others.delete(row.slot);
    this.#failed.delete(row.slot);
    this.#rows[row.slot] = undefined;
    this.#rebalance();
  }

  /** A member cannot be connected, or can be again. */
  setFailed(row: Row<L>, failed: boolean): void {
    if (failed) this.#failed.add(row.slot);
    else this.#failed.delete(row.slot);
    this.#rebalance();
  }

  #rebalance(): void {
    const members = this.#members;
    const well = () => members.size - this.#failed.size;
    while (well() < this.options.size && this.#others.size > 0) {
      const slot = this.#others.top;
      const score = this.#others.topKey;
      this.#others.delete(slot);
      this.#enter(slot, score);
    }
    // The last member goes when the others suffice: being well, it is one too many; having failed, it is none.
    while (members.size > 0 && well() - (this.#failed.has(members.top) ? 0 : 1) >= this.options.size) {
      const slot = members.top;
      const score = -members.topKey;
      members.delete(slot);
      this.#failed.delete(slot);
      this.#others.set(slot, score);
      this.moved(this.#rows[slot]!, false);
    }
  }

  #enter(slot: number, score: number): void {
    this.#members.set(slot, -score);
    this.moved(this.#rows[slot]!, true);
  }

  /** 53 bits, so that no two of a fleet's addresses tie. */
  #score(address: string): number {
    const { seed } = this.options;
    return hash32(address, seed) * 2 ** 21 + (hash32(address, seed ^ 0x5bd1e995) >>> 11);
  }
}
