import type { PickerFactory } from '../picker.js';
import { type AffinityOptions, affinity, type HashIndex } from './affinity.js';
import { HashRing } from './hash-ring.js';

/** Points of a member of mean weight. */
const POINTS = 32;
/** How far the mean weight may go from the unit before points are dealt out anew. */
const DRIFT = 4;

/**
 * Affinity by a hash ring: O(1) a pick, and O(1) a change of the set, which moves the keys of whoever joins or leaves
 * and no others. The picker for keys in most cases.
 *
 * @throws BalancerError INVALID_OPTION
 */
export function ringHash(options: AffinityOptions = {}): PickerFactory {
  return affinity('ring-hash', options, () => new RingIndex());
}

interface Member {
  readonly slot: number;
  readonly address: string;
  readonly weight: number;
  points: number;
}

/** Gives members points on a ring by weight, in a unit near the mean weight: weights of 100 must not make 3,200 points. */
class RingIndex implements HashIndex {
  #ring = new HashRing();
  readonly #members = new Map<number, Member>();
  #weights = 0;
  #unit = 0;

  add(slot: number, address: string, weight: number): void {
    const member = { slot, address, weight, points: 0 };
    this.#members.set(slot, member);
    this.#weights += weight;
    if (!this.#drifted()) this.#place(member);
  }

  delete(slot: number): void {
    const member = this.#members.get(slot)!;
    this.#members.delete(slot);
    this.#weights -= member.weight;
    this.#ring.delete(slot, member.address, member.points);
    this.#drifted();
  }

  owner(hash: number): number {
    return this.#ring.owner(hash);
  }

  any(hash: number): number {
    return this.#ring.after(hash);
  }

  #place(member: Member): void {
    member.points = Math.max(1, Math.round((POINTS * member.weight) / this.#unit));
    this.#ring.add(member.slot, member.address, member.points);
  }

  /** True when the mean weight has left the unit behind, and all points have been dealt out anew. */
  #drifted(): boolean {
    if (this.#members.size === 0) return false;
    const mean = this.#weights / this.#members.size;
    if (mean < this.#unit * DRIFT && mean * DRIFT > this.#unit) return false;
    this.#unit = 2 ** Math.round(Math.log2(mean));
    this.#ring = new HashRing();
    for (const member of this.#members.values()) this.#place(member);
    return true;
  }
}
