import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, inBackground, sleep, systemClock } from '../../src/base/clock.js';
import { VirtualClock } from '../../src/testing/index.js';

describe("the system's clock", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    // In this order: a spy on a timer, restored later, would put the false one back in its place, for all files to come.
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it('runs once, at its time and not before', () => {
    const run = vi.fn();
    systemClock.after(100, run);
    vi.advanceTimersByTime(99);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('runs soon, but never at once, what is due already', () => {
    const run = vi.fn();
    systemClock.after(-5, run);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('is taken back, once or twice', () => {
    const run = vi.fn();
    const cancel = systemClock.after(100, run);
    cancel();
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits longer than a timer can hold, and is taken back in any stage', () => {
    const run = vi.fn();
    const longest = 2 ** 31 - 1;
    systemClock.after(2 * longest + 10, run);
    vi.advanceTimersByTime(2 * longest + 9);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);

    const cancel = systemClock.after(3 * longest, run);
    vi.advanceTimersByTime(longest + 1);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never asks for a longer timer than there is', () => {
    const longest = 2 ** 31 - 1;
    const set = vi.spyOn(globalThis, 'setTimeout');
    for (const ms of [longest - 1, longest, longest + 1, longest + 2, 3 * longest]) {
      systemClock.after(ms, () => {});
      vi.advanceTimersByTime(ms);
    }
    expect(Math.max(...set.mock.calls.map(([, ms]) => ms ?? 0))).toBe(longest);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells monotonic time, and the time since 1970', () => {
    const [now, epoch] = [systemClock.now(), systemClock.epochNow()];
    expect(epoch).toBe(Date.now());
    vi.advanceTimersByTime(1_000);
    expect(systemClock.now() - now).toBe(1_000);
    expect(systemClock.epochNow() - epoch).toBe(1_000);
  });

  it('keeps the process alive for a timer, but for one in the background', () => {
    vi.useRealTimers();
    const set = vi.spyOn(globalThis, 'setTimeout');
    systemClock.after(1_000, () => {})();
    systemClock.after(1_000, () => {}, true)();
    const timers = set.mock.results.map(({ value }) => value as NodeJS.Timeout);
    expect(timers.map((timer) => timer.hasRef())).toEqual([true, false]);
  });

  it('sets no timer for what never comes', () => {
    const cancel = systemClock.after(Number.POSITIVE_INFINITY, () => {});
    expect(vi.getTimerCount()).toBe(0);
    cancel();
  });
});

describe('sleep', () => {
  it('wakes after its time, or when its signal aborts, and leaves nothing behind', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const woken: string[] = [];
    void sleep(clock, 100, stop.signal).then(() => woken.push('in time'));
    void sleep(clock, 200, stop.signal).then(() => woken.push('early'));
    await clock.advance(100);
    expect(woken).toEqual(['in time']);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
    stop.abort();
    await clock.advance(0);
    expect(woken).toEqual(['in time', 'early']);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  it('does not begin when the signal has aborted', async () => {
    const clock = new VirtualClock();
    await sleep(clock, 100, AbortSignal.abort());
    expect(clock.pending).toBe(0);
  });
});

describe('the virtual clock', () => {
  it('runs timers in order of time, then of setting, each at its own moment', async () => {
    const clock = new VirtualClock();
    const ran: string[] = [];
    for (const [name, ms] of [
      ['c', 30],
      ['a', 10],
      ['b', 10],
    ] as const) {
      clock.after(ms, () => ran.push(`${name}${clock.now()}`));
    }
    const cancel = clock.after(20, () => ran.push('never'));
    cancel();
    clock.after(Number.POSITIVE_INFINITY, () => ran.push('never'));
    await clock.advance(30);
    expect(ran).toEqual(['a10', 'b10', 'c30']);
    expect(clock.pending).toBe(0);
  });

  it('runs what is set meanwhile, by timers and by awaiting code, within the same span', async () => {
    const clock = new VirtualClock(1_000);
    const ran: number[] = [];
    const ticking = (async () => {
      for (let i = 0; i < 3; i++) {
        await sleep(clock, 10);
        ran.push(clock.now());
      }
    })();
    await clock.advance(25);
    expect(ran).toEqual([10, 20]);
    expect(clock.epochNow()).toBe(1_025);
    await clock.advance(5);
    await ticking;
    expect(ran).toEqual([10, 20, 30]);
  });
});

it('a clock in the background sets all its timers there, and tells the same time', () => {
  const set: [number, boolean | undefined][] = [];
  const clock: Clock = {
    now: () => 5,
    epochNow: () => 7,
    after: (ms, _run, background) => {
      set.push([ms, background]);
      return () => set.pop();
    },
  };
  const background = inBackground(clock);
  expect([background.now(), background.epochNow()]).toEqual([5, 7]);
  const cancel = background.after(3, () => {});
  expect(set).toEqual([[3, true]]);
  cancel();
  expect(set).toEqual([]);
});
