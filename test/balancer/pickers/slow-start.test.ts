import { describe, expect, it } from 'vitest';
import { leastPending } from '../../../src/balancer/pickers/least-pending.js';
import { peakEwmaPicker } from '../../../src/balancer/pickers/peak-ewma.js';
import { powerOfTwo } from '../../../src/balancer/pickers/power-of-two.js';
import { SlowStart, slowStartOptions } from '../../../src/balancer/pickers/slow-start.js';
import { Status } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidate, FakeCandidates } from '../../../src/testing/index.js';

const endpoint = { id: 'a', address: '10.0.0.1:1', weight: 1, metadata: {} };
const slowStart = { windowMs: 10_000 };

describe('SlowStart', () => {
  const setUp = (aggression = 1) => {
    const settled: number[] = [];
    const start = new SlowStart(slowStartOptions({ ...slowStart, aggression }), (slot) => settled.push(slot));
    const add = (slot: number) => {
      const candidate = new FakeCandidate(endpoint, slot);
      start.added(candidate);
      return candidate;
    };
    const shareAt = (slot: number, now: number) => {
      start.tick(now);
      return start.share(slot, now);
    };
    return { start, settled, add, shareAt };
  };

  it.each([
    [1, [0.1, 0.1, 0.5, 0.9, 1]],
    [2, [0.1, Math.sqrt(0.05), Math.sqrt(0.5), Math.sqrt(0.9), 1]],
    [0.5, [0.1, 0.1, 0.25, 0.81, 1]],
  ])("follows Envoy's curve at an aggression of %s", (aggression, expected) => {
    const { add, shareAt, settled } = setUp(aggression);
    add(0);
    shareAt(0, 0);
    shareAt(0, 10_000);
    add(1);
    shareAt(1, 20_000);
    const shares = [0, 500, 5_000, 9_000, 10_000].map((age) => shareAt(1, 20_000 + age));
    for (const [i, share] of shares.entries()) expect(share).toBeCloseTo(expected[i]!, 12);
    expect(settled).toEqual([0, 1]);
  });

  it('is relative to the oldest: where all are new, all are equal', () => {
    const { add, shareAt } = setUp();
    for (const slot of [0, 1, 2]) add(slot);
    expect([0, 1, 2].map((slot) => shareAt(slot, 100))).toEqual([1, 1, 1]);
    expect([0, 1, 2].map((slot) => shareAt(slot, 8_100))).toEqual([1, 1, 1]);
    add(3);
    expect(shareAt(3, 8_100)).toBeCloseTo(0.1 / 0.8, 12);
    expect(shareAt(0, 8_100)).toBe(1);
  });

  it('begins anew for who left and came back, and forgets who left', () => {
    const { start, add, shareAt, settled } = setUp();
    const first = add(0);
    const second = add(1);
    shareAt(0, 0);
    start.removed(second);
    shareAt(0, 10_000);
    expect(settled).toEqual([0]);
    add(1);
    expect(shareAt(1, 10_000)).toBe(0.1);
    start.removed(first);
    expect(shareAt(1, 11_000)).toBe(1);
  });

  it('does not let one make up for the rounds in which it had no call', () => {
    const { start, add, shareAt } = setUp();
    const old = add(0);
    shareAt(0, 0);
    shareAt(0, 10_000);
    add(1);
    shareAt(1, 10_000);
    for (let i = 0; i < 1_000; i++) start.started(old.slot, 10_000);
    const satOut = [1, 2, 3].map(() => {
      const before = start.sitsOut(1);
      start.started(1, 10_000);
      return before;
    });
    expect(satOut).toEqual([false, false, true]); // the call that is due, and that of the interval before
  });

  it.each([
    { windowMs: 0 },
    { windowMs: 1, aggression: 0 },
    { windowMs: 1, minimum: 0 },
    { windowMs: 1, minimum: 2 },
  ])('refuses %j', (options) => {
    for (const make of [leastPending, powerOfTwo, peakEwmaPicker]) {
      expect(() => make({ slowStart: options })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    }
  });
});

describe.each([
  ['least-pending', leastPending({ slowStart })],
  ['power-of-two', powerOfTwo({ slowStart })],
  ['peak-ewma', peakEwmaPicker({ slowStart })],
])('slow start under %s', (_name, factory) => {
  /** Calls at a steady rate, each of `serviceMs`; what part of its even share the candidate in slot 9 gets. */
  const shareOfJoiner = (serviceMs: number, ages: readonly [from: number, to: number][]) => {
    const set = new FakeCandidates(factory({ random: seededRandom(3) }));
    const open: { candidate: FakeCandidate; until: number }[] = [];
    const run = (until: number) => {
      let [calls, onJoiner] = [0, 0];
      for (; set.now < until; set.now += 1) {
        while (open.length > 0 && open[0]!.until <= set.now) {
          set.finish(open.shift()!.candidate, { code: Status.OK, latencyMs: serviceMs });
        }
        const candidate = set.pick()!;
        open.push({ candidate, until: set.now + serviceMs });
        calls++;
        if (candidate.slot === 9) onJoiner++;
      }
      return (10 * onJoiner) / calls;
    };
    for (let i = 0; i < 9; i++) set.add();
    run(20_000);
    set.add();
    return ages.map(([from, to]) => {
      run(20_000 + from);
      return run(20_000 + to);
    });
  };

  it.each([
    ['idle', 1],
    ['busy', 80],
  ])('brings a joiner up to its share in an %s set', (_load, serviceMs) => {
    const [young, half, old, after] = shareOfJoiner(serviceMs, [
      [0, 1_000],
      [4_000, 6_000],
      [8_000, 9_900],
      [10_000, 20_000],
    ]);
    expect(young).toBeGreaterThan(0.02);
    expect(young).toBeLessThan(0.3);
    expect(half).toBeGreaterThan(0.3);
    expect(half).toBeLessThan(0.75);
    expect(old).toBeGreaterThan(0.6);
    expect(old).toBeLessThan(1.1);
    expect(after).toBeGreaterThan(0.9);
    expect(after).toBeLessThan(1.1);
  });

  it('gives a call to who is cold before it lets it wait', () => {
    const set = new FakeCandidates(factory({ random: seededRandom(3) }));
    const old = set.add();
    set.pick();
    set.now = 20_000;
    set.pick();
    const joiner = set.add();
    old.limit = 0;
    for (let i = 0; i < 20; i++) expect(set.pick()).toBe(joiner);
  });
});
