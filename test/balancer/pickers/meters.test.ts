import { describe, expect, it } from 'vitest';
import { type PeakEwmaOptions, peakEwma, pending } from '../../../src/balancer/pickers/meters.js';
import { peakEwmaPicker } from '../../../src/balancer/pickers/peak-ewma.js';
import { Status } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidate, FakeCandidates } from '../../../src/testing/index.js';

const endpoint = { id: 'a', address: '10.0.0.1:1', weight: 1, metadata: {} };
const ok = (latencyMs: number) => ({ code: Status.OK, latencyMs });

/** A meter that has seen a call, at 0 ms, and one candidate that is taken for 100 ms. */
const setUp = (options?: PeakEwmaOptions) => {
  const meter = peakEwma(options)();
  const candidate = new FakeCandidate(endpoint, 0);
  meter.added!(candidate);
  meter.started!(candidate, 0);
  meter.finished!(candidate, 0, ok(100));
  return { meter, candidate, cost: (now: number) => meter.cost(candidate, now) };
};

describe('the meter pending', () => {
  it('counts the calls, and the one to come', () => {
    const meter = pending();
    expect(meter.cost(new FakeCandidate(endpoint, 0, 0), 0)).toBe(1);
    expect(meter.cost(new FakeCandidate(endpoint, 0, 6), 0)).toBe(7);
  });
});

describe('the meter peakEwma', () => {
  it('multiplies latency with the calls that would be pending', () => {
    const { candidate, cost } = setUp();
    expect(cost(0)).toBe(100);
    candidate.pending = 3;
    expect(cost(0)).toBe(400);
  });

  it('takes a peak at once, and comes down with tau', () => {
    const { meter, candidate, cost } = setUp();
    meter.finished!(candidate, 1_000, ok(700));
    expect(cost(1_000)).toBe(700);
    meter.finished!(candidate, 6_000, ok(100));
    const weight = Math.exp(-0.5);
    expect(cost(6_000)).toBeCloseTo(700 * weight + 100 * (1 - weight), 9);
  });

  it('decays when it is read, and changes nothing by being read', () => {
    const { cost } = setUp({ tauMs: 2_000 });
    expect(cost(4_000)).toBeCloseTo(100 * Math.exp(-2), 9);
    expect(cost(4_000)).toBe(cost(4_000));
    expect(cost(0)).toBe(100);
    expect(cost(2_000)).toBeCloseTo(100 * Math.exp(-1), 9);
  });

  it.each([
    Status.UNKNOWN,
    Status.DEADLINE_EXCEEDED,
    Status.INTERNAL,
    Status.UNAVAILABLE,
    Status.RESOURCE_EXHAUSTED,
  ])('counts a fast failure with code %d as 5 s', (code) => {
    const { meter, candidate, cost } = setUp();
    meter.finished!(candidate, 0, { code, latencyMs: 0.2 });
    expect(cost(0)).toBe(5_000);
  });

  it('counts a slow failure as what it took, and failures as it is told to', () => {
    const { meter, candidate, cost } = setUp({
      failureMs: 250,
      isFailure: (code) => code === Status.NOT_FOUND,
    });
    meter.finished!(candidate, 0, { code: Status.NOT_FOUND, latencyMs: 1 });
    expect(cost(0)).toBe(250);
    meter.finished!(candidate, 0, { code: Status.NOT_FOUND, latencyMs: 900 });
    expect(cost(0)).toBe(900);
  });

  it('does not take an answer of the application for a failure', () => {
    const { meter, candidate, cost } = setUp();
    meter.finished!(candidate, 0, { code: Status.NOT_FOUND, latencyMs: 50 });
    expect(cost(0)).toBe(100);
  });

  it('learns from a cancelled call no more than that it took longer', () => {
    const { meter, candidate, cost } = setUp();
    meter.finished!(candidate, 5_000, { code: Status.CANCELLED, latencyMs: 1 });
    expect(cost(5_000)).toBeCloseTo(100 * Math.exp(-0.5), 9);
    meter.finished!(candidate, 5_000, { code: Status.CANCELLED, latencyMs: 90 });
    expect(cost(5_000)).toBe(90);
  });

  it('learns nothing from a pick that was never used', () => {
    const { meter, candidate, cost } = setUp();
    meter.finished!(candidate, 0, { code: Status.UNAVAILABLE });
    expect(cost(0)).toBe(100);
  });

  it('starts who joins at the median of its peers, as they are by then', () => {
    const meter = peakEwma()();
    const peers = [35, 1_000, 45, 55, 65].map((_, slot) => new FakeCandidate(endpoint, slot));
    for (const peer of peers) meter.added!(peer);
    meter.started!(peers[0]!, 0);
    for (const peer of peers) meter.finished!(peer, 0, ok([35, 1_000, 45, 55, 65][peer.slot]!));
    const joiner = new FakeCandidate(endpoint, 5);
    meter.added!(joiner);
    expect(meter.cost(joiner, 0)).toBe(55);
    const another = new FakeCandidate(endpoint, 6);
    meter.removed!(peers[1]!);
    meter.added!(another);
    expect(meter.cost(another, 0)).toBe(55);
    meter.removed!(another);
    meter.removed!(joiner);
    meter.removed!(peers[0]!);
    meter.removed!(peers[2]!);
    meter.added!(another);
    expect(meter.cost(another, 0)).toBe(60);
    meter.removed!(another);
    meter.started!(peers[0]!, 10_000);
    meter.added!(another);
    expect(meter.cost(another, 10_000)).toBeCloseTo(60 / Math.E, 9);
  });

  it('asks those who are there, whoever left before', () => {
    const meter = peakEwma()();
    const peers = [35, 1_000, 45, 5_000].map((_, slot) => new FakeCandidate(endpoint, slot));
    for (const peer of peers) meter.added!(peer);
    meter.started!(peers[0]!, 0);
    for (const peer of peers) meter.finished!(peer, 0, ok([35, 1_000, 45, 5_000][peer.slot]!));
    for (const slot of [0, 3, 2]) meter.removed!(peers[slot]!);
    const joiner = new FakeCandidate(endpoint, 0);
    meter.added!(joiner);
    expect(meter.cost(joiner, 0)).toBe(1_000);
  });

  it('takes the late call of a candidate that it never knew', () => {
    const { meter, cost } = setUp();
    meter.finished!(new FakeCandidate(endpoint, 1_000), 0, ok(70));
    expect(cost(0)).toBe(100);
  });

  it('starts near the median of a large fleet at a bounded price', () => {
    const meter = peakEwma()();
    for (let slot = 0; slot < 5_000; slot++) {
      const peer = new FakeCandidate(endpoint, slot);
      meter.added!(peer);
      meter.started!(peer, 0);
      meter.finished!(peer, 0, ok(1_000 + ((slot * 7_919) % 5_000)));
    }
    const joiner = new FakeCandidate(endpoint, 5_000);
    meter.added!(joiner);
    expect(meter.cost(joiner, 0)).toBeGreaterThan(3_000);
    expect(meter.cost(joiner, 0)).toBeLessThan(4_000);
  });

  it('forgets a slot that is used again, and takes no late call of its last owner', () => {
    const { meter, candidate } = setUp();
    const peer = new FakeCandidate(endpoint, 1);
    meter.added!(peer);
    meter.finished!(candidate, 0, ok(3_000));
    meter.removed!(candidate);
    meter.finished!(candidate, 0, ok(9_000));
    const next = new FakeCandidate(endpoint, 0);
    meter.added!(next);
    expect(meter.cost(next, 0)).toBe(100);
  });

  it.each([{ tauMs: 0 }, { failureMs: -1 }, { initialMs: Number.NaN }])('refuses %j', (options) => {
    expect(() => peakEwma(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});

describe('peak-ewma', () => {
  it('keeps calls off a server that fails at once, and off one that is slow', () => {
    for (const bad of [{ code: Status.UNAVAILABLE, latencyMs: 0.1 }, ok(2_000)]) {
      const set = new FakeCandidates(peakEwmaPicker()({ random: seededRandom(1) }));
      const all = Array.from({ length: 5 }, () => set.add());
      const counts = new Map(all.map((candidate) => [candidate, 0]));
      for (let i = 0; i < 10_000; i++) {
        set.now += 1;
        const candidate = set.pick()!;
        counts.set(candidate, counts.get(candidate)! + 1);
        set.finish(candidate, candidate === all[0] ? bad : ok(20));
      }
      expect(counts.get(all[0]!)).toBeLessThan(20);
      expect(Math.min(...all.slice(1).map((candidate) => counts.get(candidate)!))).toBeGreaterThan(2_000);
    }
  });
});
