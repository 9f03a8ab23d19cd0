import { SlotSum } from '../../base/slot-sum.js';
import { type AffinityOptions, affinity, type HashIndex } from './affinity.js';
import { HashRing } from './hash-ring.js';
import type { PickerFactory } from './picker.js';

/** Points of a member whose weight is the unit. */
const POINTS = 24;
/** The unit is the power of this that brings the mean weight to at most {@link GREATEST_MEAN} units. */
const STEP = 4;
/** No round number, so that no fleet of round weights is on the verge of another unit. */
const GREATEST_MEAN = 2.35;

/**
 * Affinity by a hash ring: O(1) a pick, and O(1) a change of the set, which moves the keys of whoever joins or leaves
 * and no others. The picker for keys in most cases: servers that cache, or hold what belongs to a user.
 *
 * ```ts
 * import { type Pool, ringHash } from 'evenkeel';
 *
 * export async function whose(pool: Pool): Promise<string> {
 *   pool.setPicker(ringHash({ bound: 1.5 }));
 *   using pick = await pool.pick({ key: 'user-7' });
 *   return pick.endpoint.address; // the same for every call of user-7, from any client
 * }
 * ```
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

/**
 * Gives members points on a ring by weight. The unit follows the mean weight in wide steps, or weights of 100 would make
 * 2,400 points a member: 14 to 56 it has, in the mean. It depends on the members alone and not on their history, so
 * that processes which know the same members agree; when it changes, most keys move. Nobody has less than a point: who
 * weighs less than a thirtieth of the mean may get several times what is due to him.
 */
class RingIndex implements HashIndex {
  #ring = new HashRing();
  readonly #members = new Map<number, Member>();
  readonly #weights = new SlotSum();
  #unit = 1;

  add(slot: number, address: string, weight: number): void {
    const member = { slot, address, weight, points: 0 };
    this.#members.set(slot, member);
    this.#weights.set(slot, weight);
    if (!this.#hasNewUnit()) this.#place(member);
  }

  delete(slot: number): void {
    const member = this.#members.get(slot)!;
    this.#members.delete(slot);
    this.#weights.set(slot, 0);
    this.#ring.delete(slot, member.address, member.points);
    if (this.#members.size > 0) this.#hasNewUnit();
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

  /** True when the unit has changed, and all points have been dealt out anew. */
  #hasNewUnit(): boolean {
    const mean = this.#weights.total / this.#members.size;
    const unit = STEP ** Math.ceil(Math.log(mean / GREATEST_MEAN) / Math.log(STEP));
    if (unit === this.#unit) return false;
    this.#unit = unit;
    this.#ring = new HashRing();
    for (const member of this.#members.values()) this.#place(member);
    return true;
  }
}
