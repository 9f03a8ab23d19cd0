import { NONE, SlotLists } from '../../base/slot-lists.js';
import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from './picker.js';

/**
 * Every candidate in turn: with a steady set, no candidate is ever more than one pick ahead of another.
 *
 * For servers that are alike and calls that are alike. It looks at no load: a server that is slow, or has the long calls, gets
 * as many more as the others, until it is full or ejected. O(1).
 *
 * The turn is kept in a ring of the picker's own, not as an index into `ready`: whoever joins waits for the end of the
 * round, and when somebody leaves, nobody loses or repeats a turn, however the table moves its candidates about. A full
 * or excluded candidate loses its turn.
 */
export function roundRobin(): PickerFactory {
  return () => new RoundRobin();
}

export class RoundRobin implements Picker {
  readonly name = 'round-robin';
  readonly #candidates: (Candidate | undefined)[] = [];
  readonly #ring = new SlotLists();
  /** The slot whose turn it is. */
  #turn = NONE;

  pick(_ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    if (this.#turn === NONE) return undefined;
    let slot = this.#turn;
    do {
      const candidate = this.#candidates[slot]!;
      slot = this.#ring.next(slot);
      if (eligible(candidate, call)) {
        this.#turn = slot;
        return candidate;
      }
    } while (slot !== this.#turn);
    return undefined;
  }

  added(candidate: Candidate): void {
    this.#candidates[candidate.slot] = candidate;
    this.#turn = this.#ring.append(this.#turn, candidate.slot);
  }

  removed(candidate: Candidate): void {
    this.#candidates[candidate.slot] = undefined;
    this.#turn = this.#ring.remove(this.#turn, candidate.slot);
  }
}
