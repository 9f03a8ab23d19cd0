import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundRobin } from '../../../src/balancer/pickers/round-robin.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidates } from '../../../src/testing/index.js';

const candidates = () => new FakeCandidates(roundRobin()({ random: seededRandom(1) }));
const ports = (set: FakeCandidates, picks: number) =>
  Array.from({ length: picks }, () => Number(set.pick()?.endpoint.address.at(-1))).join('');

describe('round-robin', () => {
  it('gives every candidate its turn', () => {
    const set = candidates();
    for (let i = 0; i < 3; i++) set.add();
    expect(ports(set, 9)).toBe('012012012');
  });

  it('lets who joins wait for the end of the round', () => {
    const set = candidates();
    for (let i = 0; i < 3; i++) set.add();
    expect(ports(set, 4)).toBe('0120');
    set.add();
    expect(ports(set, 8)).toBe('12031203');
  });

  it('goes on where it was when somebody leaves, though the table fills the gap with its last', () => {
    const set = candidates();
    const all = Array.from({ length: 5 }, () => set.add());
    expect(ports(set, 2)).toBe('01');
    set.remove(all[0]!);
    expect(ports(set, 4)).toBe('2341');
    set.remove(all[2]!);
    expect(ports(set, 6)).toBe('341341');
  });

  it('passes over who is full or excluded', () => {
    const set = candidates();
    const [, b, c] = Array.from({ length: 4 }, () => set.add());
    b!.limit = 0;
    expect(ports(set, 6)).toBe('023023');
    expect(set.pick({ exclude: new Set([set.ready[0]!, c!]) })).toBe(set.ready[3]);
    expect(ports(set, 3)).toBe('023');
  });

  it('keeps everyone within one pick of everyone else while the set is steady, whatever came before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(9), fc.nat()), { maxLength: 60, size: 'max' }),
        fc.nat(200),
        (events, picks) => {
          const set = candidates();
          set.add();
          for (const [event, which] of events) {
            if (event < 3) set.add();
            else if (event < 5 && set.ready.length > 1) set.remove(set.ready[which % set.ready.length]!);
            else if (event === 5) set.reverse();
            else set.pick();
          }
          const before = new Map(set.ready.map((candidate) => [candidate, candidate.pending]));
          for (let i = 0; i < picks; i++) set.pick();
          const counts = set.ready.map((candidate) => candidate.pending - before.get(candidate)!);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('skips nobody and repeats nobody when somebody leaves or joins in the middle of a round', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.nat(), fc.nat(), (n, turns, leaver) => {
        const set = candidates();
        for (let i = 0; i < n; i++) set.add();
        for (let i = 0; i < turns % n; i++) set.pick();
        set.remove(set.ready[leaver % n]!);
        const joined = set.add();
        const waiting = set.ready.filter((candidate) => candidate.pending === 0 && candidate !== joined);
        for (let i = 0; i < waiting.length; i++) set.pick();
        expect(waiting.every((candidate) => candidate.pending === 1)).toBe(true);
      }),
    );
  });
});
