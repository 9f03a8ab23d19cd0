import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leastPending } from '../../../src/balancer/pickers/least-pending.js';
import { seededRandom } from '../../../src/base/random.js';
import { type FakeCandidate, FakeCandidates } from '../../../src/testing/index.js';

const candidates = (n = 0) => {
  const set = new FakeCandidates(leastPending()({ random: seededRandom(1) }));
  const all = Array.from({ length: n }, () => set.add());
  return { set, all };
};
const ports = (set: FakeCandidates, picks: number) =>
  Array.from({ length: picks }, () => Number(set.pick()?.endpoint.address.at(-1))).join('');

/** How often `work`, which `prepare` returns, reads from the arrays of integers that either of them makes. */
function countReads(prepare: () => () => void): number {
  let reads = 0;
  const real = globalThis.Int32Array;
  function Counted(this: unknown, from: number): Int32Array {
    return new Proxy(new real(from), {
      get(array, key) {
        if (key === 'constructor') return Counted;
        reads++;
        const value: unknown = Reflect.get(array, key);
        return typeof value === 'function' ? value.bind(array) : value;
      },
    });
  }
  Object.setPrototypeOf(Counted, real);
  globalThis.Int32Array = Counted as unknown as typeof Int32Array;
  try {
    const work = prepare();
    reads = 0;
    work();
    return reads;
  } finally {
    globalThis.Int32Array = real;
  }
}

describe('least-pending', () => {
  it('fills up level by level, in turn', () => {
    const { set } = candidates(3);
    expect(ports(set, 7)).toBe('0120120');
  });

  it('goes round an idle set when one call follows the other', () => {
    const { set } = candidates(3);
    const picked = Array.from({ length: 7 }, () => {
      const candidate = set.pick()!;
      set.finish(candidate);
      return candidate.slot;
    });
    expect(picked.join('')).toBe('0120120');
  });

  it('goes round even when the picks are not used', () => {
    const { set } = candidates(3);
    const picked = Array.from({ length: 7 }, () => set.picker.pick(set.ready, { now: 0 })!.slot);
    expect(picked.join('')).toBe('0120120');
  });

  it('gives the calls to whoever finishes them', () => {
    const { set, all } = candidates(3);
    expect(ports(set, 6)).toBe('012012');
    set.finish(all[1]!);
    set.finish(all[1]!);
    expect(ports(set, 3)).toBe('110');
  });

  it('walks past a full or excluded candidate, which keeps its place', () => {
    const { set, all } = candidates(4);
    all[0]!.limit = 0;
    expect(ports(set, 2)).toBe('12');
    all[0]!.limit = Number.POSITIVE_INFINITY;
    expect(set.pick({ exclude: new Set([all[0]!]) })).toBe(all[3]);
    expect(ports(set, 2)).toBe('01');
  });

  it('counts what was pending before it came: of another picker, or of an earlier connection', () => {
    const { set, all } = candidates(3);
    for (let i = 0; i < 9; i++) set.pick();
    for (let i = 0; i < 3; i++) set.finish(all[2]!);
    set.swap(leastPending()({ random: seededRandom(2) }));
    expect(ports(set, 3)).toBe('222');
    set.finish(all[0]!);
    expect(ports(set, 1)).toBe('0');
  });

  it('has room for slots and pending calls that come in leaps', () => {
    const slot = fc.constantFrom(0, 1, 15, 16, 17, 31, 300, 3_000);
    const pending = fc.oneof(fc.nat(3), fc.constantFrom(31, 32, 33, 63, 64, 1_000, 1_023), fc.nat(3_000));
    const step = fc.record({
      kind: fc.constantFrom('add', 'remove', 'fill', 'empty', 'start', 'start', 'start', 'finish'),
      slot,
      pending,
    });
    const endpoint = { id: 'a', address: 'a', weight: 1, metadata: {} };
    fc.assert(
      fc.property(fc.array(step, { size: 'max', maxLength: 120 }), (steps) => {
        const picker = leastPending()({ random: seededRandom(1) });
        const there = new Map<
          number,
          { endpoint: typeof endpoint; slot: number; pending: number; full: boolean }
        >();
        for (const { kind, slot, pending } of steps) {
          const candidate = there.get(slot);
          if (kind === 'start') {
            const able = [...there.values()].filter(({ full }) => !full);
            const picked = picker.pick([...there.values()], { now: 0 });
            const least = Math.min(...able.map(({ pending }) => pending));
            expect(picked?.pending).toBe(able.length === 0 ? undefined : least);
            if (picked === undefined) continue;
            there.get(picked.slot)!.pending++;
            picker.started!(picked, 0);
          } else if (candidate === undefined) {
            there.set(slot, { endpoint, slot, pending, full: kind === 'fill' });
            picker.added!(there.get(slot)!);
          } else if (kind === 'remove') {
            picker.removed!(candidate);
            there.delete(slot);
          } else if (kind === 'finish' && candidate.pending > 0) {
            candidate.pending--;
            picker.finished!(candidate, 0, { code: 0, latencyMs: 1 });
          } else {
            candidate.full = kind === 'fill';
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not go from level to level where nobody is', () => {
    const LEVELS = 1_000_000;
    const PICKS = 20;
    const { set, all } = candidates(3);
    all[0]!.limit = 0;
    for (const busy of all.slice(1)) busy.pending = LEVELS;
    const random = seededRandom(2);
    const reads = countReads(() => {
      set.swap(leastPending()({ random }));
      return () => {
        for (let i = 0; i < PICKS; i++) {
          const picked = set.pick()!;
          if (picked.slot !== 1 + (i % 2)) throw new Error(`${picked.slot} was picked at ${i}`);
          set.finish(picked);
        }
      };
    });
    // By single levels a pick reads two numbers of each at least, by 32 at once a third of one.
    expect(reads).toBeLessThan(PICKS * LEVELS);
    expect(reads).toBeGreaterThan(PICKS);
  });

  it('takes a number of pending calls that no process could hold for the most that one could', () => {
    const { set, all } = candidates(3);
    all[0]!.pending = Number.MAX_SAFE_INTEGER;
    all[1]!.pending = 2 ** 31;
    set.swap(leastPending()({ random: seededRandom(2) }));
    expect(set.pick()).toBe(all[2]);
    all[2]!.limit = 0;
    expect([all[0], all[1]]).toContain(set.pick());
  });

  it('picks a true minimum, in the order of turns among equals, through a million random steps', () => {
    const { set } = candidates(8);
    const random = seededRandom(11);
    const pending: FakeCandidate[] = [];
    /** When each was last put behind its equals. */
    const since = new Map<FakeCandidate, number>();
    for (const candidate of set.ready) since.set(candidate, -1);
    let load = 20;
    for (let step = 0; step < 1_000_000; step++) {
      if (step % 1_000 === 0) load = random(60);
      const event = random(1_000);
      if (event < 2 && set.ready.length < 24) since.set(set.add(), step);
      else if (event < 4 && set.ready.length > 1) set.remove(set.ready[random(set.ready.length)]!);
      else if (event < 6) set.ready[random(set.ready.length)]!.limit = random(2) === 0 ? random(8) : 1e9;
      else if (event < 8) set.reverse();
      else if (pending.length > load || (pending.length > 0 && event < 400)) {
        const at = random(pending.length);
        const candidate = pending[at]!;
        pending[at] = pending.at(-1)!;
        pending.pop();
        set.finish(candidate);
        since.set(candidate, step);
      } else {
        const exclude = event > 950 ? new Set([set.ready[random(set.ready.length)]!]) : undefined;
        let best: FakeCandidate | undefined;
        for (const candidate of set.ready) {
          if (candidate.full || exclude?.has(candidate)) continue;
          const less = best === undefined ? -1 : candidate.pending - best.pending;
          if (less < 0 || (less === 0 && since.get(candidate)! < since.get(best!)!)) best = candidate;
        }
        const candidate = set.pick({ exclude });
        if (candidate !== best && candidate?.pending !== (best?.pending ?? 0) + 1) {
          expect.fail(`step ${step}: picked ${candidate?.pending} pending`);
        }
        if (candidate !== best) expect.fail(`step ${step}: not the one whose turn it was`);
        if (candidate !== undefined) {
          pending.push(candidate);
          since.set(candidate, step);
        }
      }
    }
  });
});
