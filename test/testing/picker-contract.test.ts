import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  eligible,
  type PickContext,
  type PickerFactory,
} from '../../src/balancer/pickers/picker.js';
import { describePicker } from '../../src/testing/index.js';

/** Runs the suite, and returns the names of the tests that failed. */
function failures(factory: PickerFactory): string[] {
  const failed: string[] = [];
  describePicker('user', factory, {
    describe: (_name, body) => body(),
    it: (name, body) => {
      try {
        body();
      } catch {
        failed.push(name);
      }
    },
  });
  return failed;
}

const firstEligible = (ready: readonly Candidate[], call: PickContext) =>
  ready.find((candidate) => eligible(candidate, call));

describe('describePicker', () => {
  it('passes a picker of a user, of a few lines and without hooks', () => {
    const shortest: PickerFactory = ({ random }) => ({
      name: 'anyone',
      pick(ready, call) {
        const start = random(ready.length);
        for (let i = 0; i < ready.length; i++) {
          const candidate = ready[(start + i) % ready.length]!;
          if (eligible(candidate, call)) return candidate;
        }
        return undefined;
      },
    });
    expect(failures(shortest)).toEqual([]);
  });

  it('says which test a picker fails, under the name it was given', () => {
    const names: string[] = [];
    const runner = { describe: (name: string, body: () => void) => names.push(name) && body(), it: () => {} };
    describePicker('mine', () => ({ name: 'x', pick: firstEligible }), runner);
    expect(names).toEqual(['mine keeps the contract of a picker']);
  });

  it.each<[what: string, factory: PickerFactory, test: string]>([
    ['has no name', () => ({ name: '', pick: firstEligible }), 'has a name'],
    [
      'picks what is full',
      () => ({ name: 'x', pick: (ready, { exclude }) => ready.find((one) => !exclude?.has(one)) }),
      'never picks a full',
    ],
    [
      'picks what is excluded',
      () => ({ name: 'x', pick: (ready) => ready.find((one) => !one.full) }),
      'never picks what the call excludes',
    ],
    [
      'gives up while somebody is there',
      () => ({ name: 'x', pick: ([first], call) => (eligible(first!, call) ? first : undefined) }),
      'never picks what the call excludes',
    ],
    [
      'keeps whom it has once picked',
      () => {
        let kept: Candidate | undefined;
        return {
          name: 'x',
          pick(ready, call) {
            if (kept === undefined || !eligible(kept, call)) kept = firstEligible(ready, call);
            return kept;
          },
        };
      },
      'never picks what was removed',
    ],
    [
      'relies on a start for every finish',
      () => {
        const started = new Map<Candidate, number>();
        return {
          name: 'x',
          pick: firstEligible,
          started: (one) => started.set(one, (started.get(one) ?? 0) + 1),
          finished(one) {
            if (!started.get(one)) throw new Error('never started');
            started.set(one, started.get(one)! - 1);
          },
        };
      },
      'takes over candidates',
    ],
    [
      'never picks a weight of 0',
      () => ({
        name: 'x',
        pick: (ready, call) => ready.find((one) => one.endpoint.weight > 0 && eligible(one, call)),
      }),
      'picks whatever the weights are: 0, 0, 0',
    ],
    [
      'draws on chance of its own',
      () => ({
        name: 'x',
        pick(ready, call) {
          const may = ready.filter((one) => eligible(one, call));
          return may[Math.floor(Math.random() * may.length)];
        },
      }),
      'draws on nothing but the randomness',
    ],
    [
      'remembers every call',
      () => {
        const log: number[] = [];
        return { name: 'x', pick: firstEligible, started: (_, now) => log.push(now + 0.5) };
      },
      'grows neither',
    ],
    [
      'remembers every candidate',
      () => {
        const seen = new Set<Candidate>();
        return { name: 'x', pick: firstEligible, added: (one) => seen.add(one) };
      },
      'grows neither',
    ],
  ])('fails one that %s', (_what, factory, test) => {
    // A heap that shrinks by what other tests have left behind may hide a leak once.
    const fails = () => failures(factory).some((failure) => failure.includes(test));
    expect([1, 2, 3].some(fails)).toBe(true);
  });

  it('asks for a runner where there is none', () => {
    expect(() => describePicker('x', () => ({ name: 'x', pick: firstEligible }))).toThrow(
      'pass those of your test runner',
    );
  });
});
