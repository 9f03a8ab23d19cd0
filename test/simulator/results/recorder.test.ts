import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { QUANTILES, Recorder } from '../../../src/simulator/results/recorder.js';
import { exponential } from '../../../src/simulator/scenario/distribution.js';

const { OK, UNAVAILABLE, DEADLINE_EXCEEDED } = Status;

describe('the recorder', () => {
  it('knows latencies as a sorted list of them does, within 0.2 %', () => {
    const random = seededRandom(1);
    const recorder = new Recorder({ servers: 1, fromMs: 0, untilMs: 1_000_000 });
    const all = Array.from({ length: 50_000 }, () => 20 * exponential(random));
    for (const [i, latency] of all.entries()) recorder.ended(i, i + latency, OK);
    const { quantilesMs, meanMs, maxMs, calls, succeeded } = recorder.recording(1_000_000);
    all.sort((a, b) => a - b);
    for (const [i, q] of QUANTILES.entries()) {
      // A rank more or less: how quantiles between two are told is a matter of taste.
      const rank = Math.ceil(q * all.length) - 1;
      const [low, high] = [all[Math.max(0, rank - 1)]!, all[Math.min(all.length - 1, rank + 1)]!];
      if (low < 0.1) continue;
      expect(quantilesMs[i]).toBeGreaterThan(low * 0.998);
      expect(quantilesMs[i]).toBeLessThan(high * 1.002);
    }
    expect(meanMs).toBeCloseTo(all.reduce((sum, each) => sum + each, 0) / all.length, 6);
    expect(maxMs).toBeCloseTo(all.at(-1)!, 6);
    expect(Math.max(...quantilesMs)).toBeLessThanOrEqual(maxMs);
    expect([calls, succeeded]).toEqual([50_000, 50_000]);
  });

  it('has the quantiles that people ask for', () => {
    for (const q of [0.5, 0.9, 0.99, 0.999]) {
      expect(QUANTILES.some((each) => Math.abs(each - q) < 1e-12)).toBe(true);
    }
    expect(QUANTILES).toEqual(QUANTILES.toSorted((a, b) => a - b));
  });

  it('counts the time of calls that ran out of time, and not of those that failed otherwise', () => {
    const recorder = new Recorder({ servers: 1, fromMs: 0, untilMs: 100 });
    recorder.ended(0, 10, OK);
    recorder.ended(0, 30, DEADLINE_EXCEEDED);
    recorder.ended(0, 1, UNAVAILABLE);
    const { meanMs, failed, calls, succeeded } = recorder.recording(100);
    expect({ meanMs, failed, calls, succeeded }).toEqual({
      meanMs: 20,
      failed: { DEADLINE_EXCEEDED: 1, UNAVAILABLE: 1 },
      calls: 3,
      succeeded: 1,
    });
  });

  it('leaves out the calls that arrived before it counts, but not their windows', () => {
    const recorder = new Recorder({ servers: 2, fromMs: 50, untilMs: 100, windows: 2 });
    recorder.picked(0, 49);
    recorder.picked(1, 50);
    recorder.ended(49, 60, OK);
    recorder.ended(50, 70, OK);
    const { calls, load, windows } = recorder.recording(100);
    expect(calls).toBe(1);
    expect(load).toEqual([0, 1]);
    expect(windows.map((window) => window.calls)).toEqual([0, 2]);
  });

  it('divides time into windows, empty ones too, and integrates over them what waits', () => {
    const recorder = new Recorder({ servers: 1, fromMs: 0, untilMs: 40, windows: 4 });
    recorder.queuedAtServers(4, 5);
    recorder.queuedAtClients(1, 0);
    recorder.queuedAtServers(-2, 20);
    recorder.ended(15, 22, UNAVAILABLE);
    recorder.queuedAtServers(-2, 32.5);
    recorder.queuedAtClients(-1, 100);
    const windows = recorder.recording(100).windows;
    expect(windows.map(({ atMs }) => atMs)).toEqual([0, 10, 20, 30]);
    expect(windows.map(({ queuedAtServers }) => queuedAtServers)).toEqual([2, 4, 2, 0.5]);
    expect(windows.map(({ queuedAtClients }) => queuedAtClients)).toEqual([1, 1, 1, 1]);
    expect(windows.map(({ failed }) => failed)).toEqual([0, 0, 1, 0]);
    expect(windows.every((window) => !('p99Ms' in window))).toBe(true);
  });

  it('closes as many windows in any time, however that divides', () => {
    for (let i = 1; i < 1_000; i++) {
      const untilMs = 600 / (i / 1_000);
      expect(new Recorder({ servers: 1, fromMs: 0, untilMs }).recording(untilMs).windows).toHaveLength(120);
    }
  });
});
