import type { Candidate, PickContext, Picker, PickerFactory } from 'evenkeel';

/** Prefers endpoints whose metadata says this version; any other when none of them has room. */
export function sameVersion(version: string): PickerFactory {
  return ({ random }): Picker => ({
    name: 'same-version',
    pick(ready: readonly Candidate[], { exclude }: PickContext) {
      let other: Candidate | undefined;
      const start = random(ready.length);
      for (let i = 0; i < ready.length; i++) {
        const candidate = ready[(start + i) % ready.length]!;
        if (candidate.full || exclude?.has(candidate)) continue;
        if (candidate.endpoint.metadata.version === version) return candidate;
        other ??= candidate;
      }
      return other;
    },
  });
}
