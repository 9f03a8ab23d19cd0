import type { Endpoint } from '../../base/endpoint.js';
import { numberOption } from '../../base/options.js';
import type { Random } from '../../base/random.js';
import { withRoom } from '../../base/slot-lists.js';
import { SlotSum } from '../../base/slot-sum.js';
import { hash32, mix32, rehash } from './hash.js';
import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from './picker.js';

export interface AffinityOptions {
  /**
   * No candidate gets a call that would bring it over this many times its fair part of the pending calls: 1 or more,
   * `Infinity` for no bound. Default 1.25.
   */
  readonly bound?: number;
}

/** Which slot a hash belongs to. Weights are over 0. Lookups are only made while somebody is in it. */
export interface HashIndex {
  add(slot: number, address: string, weight: number): void;
  delete(slot: number): void;
  /** The home of a key, by its 32-bit hash. */
  owner(hash: number): number;
  /** Anybody, evenly by hash. */
  any(hash: number): number;
}

/** So many other places are tried for a key whose home cannot take it, before all are looked at. */
const JUMPS = 32;
const TWO_32 = 2 ** 32;
/** Weights such as 0.1 do not add up exactly: what is a whole number but for that must not be rounded up to the next. */
const ROUNDING = 1 - 1e-9;

/**
 * Calls of one key go to one candidate, whichever process makes them, for as long as the set and the load allow.
 *
 * Bounded loads (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads", 2018): a candidate takes
 * a call only while it has fewer than ceil(bound x (pending + 1) / n) pending, by weight where weights differ. What its
 * home cannot take jumps to places that the key's further hashes name, in an order of the key's own (Chen, Coleman and
 * Shrivastava, "Revisiting consistent hashing with bounded loads", 2021): the neighbour of a hot one does not inherit
 * all its load, and as a fifth of the candidates is always below the bound, five jumps do in the mean.
 *
 * A call without a key goes anywhere at random, by weight.
 */
export function affinity(
  name: string,
  { bound = 1.25 }: AffinityOptions,
  makeIndex: () => HashIndex,
): PickerFactory {
  numberOption(`${name} bound`, bound, { min: 1, max: Number.POSITIVE_INFINITY });
  return ({ random }) => new Affinity(name, bound, makeIndex(), random);
}

// What is known of a slot, in one cache line: its weight, as the index has it, and the candidate's pending calls.
const SIZE = 2;
const WEIGHT = 0;
const PENDING = 1;

class Affinity implements Picker {
  readonly #candidates: (Candidate | undefined)[] = [];
  /**
   * {@link SIZE} numbers a slot. At most times many homes are at their bound: to ask the candidates themselves would be to
   * wait for memory, in a large fleet, for those that are not picked.
   */
  #members = new Float64Array(16 * SIZE);
  readonly #weights = new SlotSum();
  /** Summed up over the candidates. */
  #pending = 0;
  /** The most that is pending for one of weight 1, for the pick under way. */
  #load = 0;

  constructor(
    readonly name: string,
    private readonly bound: number,
    private readonly index: HashIndex,
    private readonly random: Random,
  ) {}

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    const hash = call.key === undefined ? this.random(TWO_32) : hash32(call.key);
    const home = this.index.owner(hash);
    this.#load = this.bound * (this.#pending + 1);
    if (this.#accepts(home, call)) return this.#candidates[home];
    const further = mix32(~hash);
    for (let n = 0; n < JUMPS; n++) {
      const slot = this.index.any(rehash(further, n));
      if (this.#accepts(slot, call)) return this.#candidates[slot];
    }
    return this.#leastOfAll(ready, call);
  }

  added(candidate: Candidate): void {
    const { slot, endpoint, pending } = candidate;
    this.#candidates[slot] = candidate;
    this.#members = withRoom(this.#members, slot * SIZE + PENDING);
    this.#members[slot * SIZE + PENDING] = pending;
    this.#pending += pending;
    this.#enter(slot, endpoint);
  }

  removed({ slot }: Candidate): void {
    this.#leave(slot);
    this.#pending -= this.#members[slot * SIZE + PENDING]!;
    this.#candidates[slot] = undefined;
  }

  updated({ slot, endpoint }: Candidate): void {
    if (shareOf(endpoint) === this.#members[slot * SIZE + WEIGHT]) return;
    this.#leave(slot);
    this.#enter(slot, endpoint);
  }

  started(candidate: Candidate): void {
    this.#count(candidate);
  }

  finished(candidate: Candidate): void {
    this.#count(candidate);
  }

  #count(candidate: Candidate): void {
    const { slot, pending } = candidate;
    if (this.#candidates[slot] !== candidate) return;
    this.#pending += pending - this.#members[slot * SIZE + PENDING]!;
    this.#members[slot * SIZE + PENDING] = pending;
  }

  #enter(slot: number, endpoint: Endpoint): void {
    const weight = shareOf(endpoint);
    this.#members[slot * SIZE + WEIGHT] = weight;
    this.#weights.set(slot, weight);
    this.index.add(slot, endpoint.address, weight);
  }

  #leave(slot: number): void {
    this.#weights.set(slot, 0);
    this.index.delete(slot);
  }

  #accepts(slot: number, call: PickContext): boolean {
    const members = this.#members;
    const share = members[slot * SIZE + WEIGHT]! / this.#weights.total;
    const allowed = Math.ceil(this.#load * share * ROUNDING);
    return members[slot * SIZE + PENDING]! < allowed && eligible(this.#candidates[slot]!, call);
  }

  /** The one that is least over its bound, or furthest below it. */
  #leastOfAll(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    let best: Candidate | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const candidate of ready) {
      if (!eligible(candidate, call)) continue;
      const over = candidate.pending / this.#members[candidate.slot * SIZE + WEIGHT]!;
      if (best === undefined || over < least) {
        best = candidate;
        least = over;
      }
    }
    return best;
  }
}

/** The table shows endpoints of weight 0 only where all have it: then they are equal. */
function shareOf({ weight }: Endpoint): number {
  return weight > 0 ? weight : 1;
}
