import type { Endpoint } from '../../base/endpoint.js';
import { withRoom } from '../../base/slot-lists.js';
import type { Candidate, Outcome, PickContext, Picker } from './picker.js';

/** A part of the candidates: an array of its own, dense, and a picker that knows of no others. */
export class Part {
  readonly ready: Candidate[] = [];

  constructor(readonly picker: Picker) {}

  pick(call: PickContext): Candidate | undefined {
    return this.ready.length === 0 ? undefined : this.picker.pick(this.ready, call);
  }
}

/** Which candidate is in which part, or in none. All in O(1). */
export class Partition<P extends Part = Part> {
  /** By slot, and still there after the candidate was taken out: calls of it may finish late. */
  readonly #parts: (P | undefined)[] = [];
  #positions = new Int32Array(16);

  put(candidate: Candidate, part: P | undefined): void {
    this.#parts[candidate.slot] = part;
    if (part === undefined) return;
    this.#positions = withRoom(this.#positions, candidate.slot);
    this.#positions[candidate.slot] = part.ready.push(candidate) - 1;
    part.picker.added?.(candidate);
  }

  /** Returns the part in which it was. */
  take(candidate: Candidate): P | undefined {
    const part = this.#parts[candidate.slot];
    if (part === undefined) return undefined;
    const last = part.ready.pop()!;
    if (last !== candidate) {
      const at = this.#positions[candidate.slot]!;
      part.ready[at] = last;
      this.#positions[last.slot] = at;
    }
    part.picker.removed?.(candidate);
    return part;
  }

  /** Returns the part in which it was. */
  update(candidate: Candidate, previous: Endpoint, part: P | undefined): P | undefined {
    if (part === this.#parts[candidate.slot]) {
      part?.picker.updated?.(candidate, previous);
      return part;
    }
    const before = this.take(candidate);
    this.put(candidate, part);
    return before;
  }

  started(candidate: Candidate, now: number): void {
    this.#parts[candidate.slot]?.picker.started?.(candidate, now);
  }

  finished(candidate: Candidate, now: number, outcome: Outcome): void {
    this.#parts[candidate.slot]?.picker.finished?.(candidate, now, outcome);
  }
}

/** Tells the pickers concerned what is announced: a change of attributes may have moved an endpoint between parts. */
export function announce(
  now: Endpoint | undefined,
  into: Part | undefined,
  before: Endpoint | undefined,
  outOf: Part | undefined,
): void {
  if (into === outOf) {
    into?.picker.announced?.(now, before);
  } else {
    outOf?.picker.announced?.(undefined, before);
    into?.picker.announced?.(now, undefined);
  }
}
