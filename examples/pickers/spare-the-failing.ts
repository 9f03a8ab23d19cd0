import type { Candidate, Outcome, PickContext, Picker, PickerFactory, Random } from 'evenkeel';

/** Anyone at random, but those whose last call failed only when nobody else has room. */
export function spareTheFailing(): PickerFactory {
  return ({ random }) => new SpareTheFailing(random);
}

const UNAVAILABLE = 14;

class SpareTheFailing implements Picker {
  readonly name = 'spare-the-failing';
  /** By slot. */
  readonly #failed: boolean[] = [];

  constructor(private readonly random: Random) {}

  pick(ready: readonly Candidate[], { exclude }: PickContext): Candidate | undefined {
    let failing: Candidate | undefined;
    const start = this.random(ready.length);
    for (let i = 0; i < ready.length; i++) {
      const candidate = ready[(start + i) % ready.length]!;
      if (candidate.full || exclude?.has(candidate)) continue;
      if (!this.#failed[candidate.slot]) return candidate;
      failing ??= candidate;
    }
    return failing;
  }

  added({ slot }: Candidate): void {
    this.#failed[slot] = false; // the slot may have been another's
  }

  finished({ slot }: Candidate, _now: number, { code }: Outcome): void {
    this.#failed[slot] = code === UNAVAILABLE;
  }
}
