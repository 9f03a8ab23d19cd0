import type { Endpoint } from '../../base/endpoint.js';
import { SlotHeap } from '../../base/slot-heap.js';
import { withRoom } from '../../base/slot-lists.js';
import { mix32 } from './hash.js';
import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from './picker.js';
import { RoundRobin } from './round-robin.js';

/**
 * Turns in proportion to weight, evenly spread: in a steady set with whole weights, any cycle of as many picks as the
 * weights add up to gives each candidate exactly its weight of them. O(log n).
 *
 * For servers of unequal size, which their registration says: `serve(server, { weight: 4, ... })` on one of four times the
 * cores. A weight may change at any time, down to 0 to take a server out of use while it stays registered.
 *
 * The earliest deadline first: a candidate of weight w has a turn every 1/w of virtual time, its nth at
 * `origin + (n + phase) / w`, computed anew each time so that no rounding adds up. Phases differ, or
 * all the light ones would have their turns in one burst.
 * A new weight holds from the present turn on, of which as much is left as was. A full or excluded candidate loses its
 * turns. One of weight 0 gets a call only when no other can have it.
 */
export function weightedRoundRobin(): PickerFactory {
  return () => new WeightedRoundRobin();
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * From 0 to 1: the golden ratio's multiples, which spread any number of points evenly. The thousandth at random is
 * there because they alone are related: two turns may fall on one time, and rounding would decide each time anew.
 */
function phaseOf(slot: number): number {
  return ((slot + 1) * GOLDEN_RATIO + mix32(slot + 1) / 2 ** 42) % 1;
}

// What is known of a slot, in one cache line.
const SIZE = 4;
const WEIGHT = 0;
const ORIGIN = 1;
const TURNS = 2;

class WeightedRoundRobin implements Picker {
  readonly name = 'weighted-round-robin';
  readonly #candidates: (Candidate | undefined)[] = [];
  /** {@link SIZE} numbers a slot. The next turn is at `origin + turns / weight`; `turns` has the phase in it. */
  #members = new Float64Array(16 * SIZE);
  /** The slots of a weight above 0, by the time of their next turn. */
  readonly #queue = new SlotHeap();
  /** The time of the turn that was last taken. */
  #time = 0;
  /** The slots that had their turn in the pick under way, and could not take it. */
  #passed = new Int32Array(16);
  readonly #weightless = new RoundRobin();

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    let picked: Candidate | undefined;
    let passed = 0;
    while (picked === undefined && this.#queue.size > 0) {
      const slot = this.#queue.top;
      const candidate = this.#candidates[slot]!;
      if (eligible(candidate, call)) {
        this.#time = this.#queue.topKey;
        this.#members[slot * SIZE + TURNS]!++;
        this.#queue.postponeTop(this.#nextTurn(slot));
        picked = candidate;
      } else {
        this.#queue.delete(slot);
        this.#passed[passed++] = slot;
      }
    }
    while (passed > 0) this.#pass(this.#passed[--passed]!, picked !== undefined);
    return picked ?? this.#weightless.pick(ready, call);
  }

  added(candidate: Candidate): void {
    const { slot, endpoint } = candidate;
    this.#candidates[slot] = candidate;
    this.#members = withRoom(this.#members, (slot + 1) * SIZE);
    this.#passed = withRoom(this.#passed, slot);
    this.#enter(candidate, endpoint.weight, phaseOf(slot));
  }

  removed(candidate: Candidate): void {
    this.#leave(candidate);
    this.#candidates[candidate.slot] = undefined;
  }

  updated(candidate: Candidate, _previous: Endpoint): void {
    const { slot, endpoint } = candidate;
    const before = this.#members[slot * SIZE + WEIGHT]!;
    if (endpoint.weight === before) return;
    const left = before > 0 ? (this.#queue.keyOf(slot) - this.#time) * before : phaseOf(slot);
    this.#leave(candidate);
    this.#enter(candidate, endpoint.weight, left);
  }

  /** `left` is the part of a turn until its next. */
  #enter(candidate: Candidate, weight: number, left: number): void {
    const { slot } = candidate;
    this.#members[slot * SIZE + WEIGHT] = weight;
    if (weight > 0) {
      this.#members[slot * SIZE + ORIGIN] = this.#time;
      this.#members[slot * SIZE + TURNS] = left;
      this.#queue.set(slot, this.#nextTurn(slot));
    } else {
      this.#weightless.added(candidate);
    }
  }

  #leave(candidate: Candidate): void {
    if (this.#members[candidate.slot * SIZE + WEIGHT]! > 0) this.#queue.delete(candidate.slot);
    else this.#weightless.removed(candidate);
  }

  #nextTurn(slot: number): number {
    const at = slot * SIZE;
    return this.#members[at + ORIGIN]! + this.#members[at + TURNS]! / this.#members[at + WEIGHT]!;
  }

  /** Back into the queue; where another was picked, without the turns that are over. */
  #pass(slot: number, lost: boolean): void {
    if (lost) {
      const at = slot * SIZE;
      const elapsed = this.#time - this.#members[at + ORIGIN]!;
      const over = elapsed * this.#members[at + WEIGHT]! - this.#members[at + TURNS]!;
      this.#members[at + TURNS]! += Math.floor(Math.max(0, over)) + 1;
    }
    this.#queue.set(slot, this.#nextTurn(slot));
  }
}
