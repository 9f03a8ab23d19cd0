import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, retryUntilAborted } from '../../src/base/backoff.js';
import { seededRandom } from '../../src/base/random.js';
import { VirtualClock } from '../../src/testing/index.js';

describe('backoffMs', () => {
  it('draws from all of [0, min(maxMs, baseMs x 2^(n - 1))], ends included', () => {
    const bounds: number[] = [];
    const highest = (n: number) => {
      bounds.push(n);
      return n - 1;
    };
    const backoff = { baseMs: 100, maxMs: 1_500 };
    const waits = [1, 2, 3, 4, 5, 6, 1_000].map((n) => backoffMs(backoff, n, highest));
    expect(waits).toEqual([100, 200, 400, 800, 1_500, 1_500, 1_500]);
    expect(bounds).toEqual(waits.map((wait) => wait + 1));
    expect(backoffMs(backoff, 9, () => 0)).toBe(0);
  });

  it('stays within its bounds, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.nat(),
        (baseMs, maxMs, failures, seed) => {
          const wait = backoffMs({ baseMs, maxMs }, failures, seededRandom(seed));
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(Math.min(maxMs, baseMs * 2 ** (failures - 1)));
        },
      ),
    );
  });
});

describe('retryUntilAborted', () => {
  const options = (clock: VirtualClock, stop: AbortController, failures: string[] = []) => ({
    clock,
    random: (n: number) => n - 1,
    signal: stop.signal,
    baseMs: 100,
    maxMs: 300,
    onFailure: (error: Error, attempt: number) =>
      failures.push(`${attempt} ${error.message} @${clock.now()}`),
  });

  it('tries until it succeeds, on the clock that it is given, and tells of each failure', async () => {
    const clock = new VirtualClock();
    const failures: string[] = [];
    let attempts = 0;
    const result = retryUntilAborted(
      async () => {
        // A TypeError, as etcd3 throws for network faults too: p-retry would give up.
        if (++attempts < 5) throw attempts % 2 === 0 ? new TypeError('no net') : new Error('refused');
        return 'well';
      },
      options(clock, new AbortController(), failures),
    );
    await clock.advance(1_000);
    await expect(result).resolves.toBe('well');
    expect(failures).toEqual(['1 refused @0', '2 no net @100', '3 refused @300', '4 no net @600']);
    expect(clock.pending).toBe(0);
  });

  it('keeps the TypeError that it hides from p-retry as the cause', async () => {
    const clock = new VirtualClock();
    const heard: Error[] = [];
    const thrown = new TypeError('no net');
    let attempts = 0;
    const result = retryUntilAborted(() => (++attempts === 1 ? Promise.reject(thrown) : Promise.resolve()), {
      ...options(clock, new AbortController()),
      onFailure: (error) => heard.push(error),
    });
    await clock.advance(100);
    await result;
    expect(heard).toHaveLength(1);
    expect(heard[0]).not.toBeInstanceOf(TypeError);
    expect(heard[0]?.cause).toBe(thrown);
  });

  it('needs nobody to tell of failures', async () => {
    const clock = new VirtualClock();
    const { onFailure: _, ...silent } = options(clock, new AbortController());
    let attempts = 0;
    const result = retryUntilAborted(async () => {
      if (++attempts === 1) throw new Error('refused');
      return 'well';
    }, silent);
    await clock.advance(100);
    await expect(result).resolves.toBe('well');
  });

  it('takes what is thrown and is no error for one', async () => {
    const clock = new VirtualClock();
    const failures: string[] = [];
    const stop = new AbortController();
    const result = retryUntilAborted(() => Promise.reject('a string'), options(clock, stop, failures));
    const ended = expect(result).rejects.toBe('enough');
    await clock.advance(0);
    stop.abort('enough');
    await ended;
    expect(failures).toEqual(['1 a string @0']);
  });

  it.each(['while it waits', 'while it tries'])('ends with the reason of the abort, %s', async (when) => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    let fail = (_: Error) => {};
    const attempt = () =>
      when === 'while it waits'
        ? Promise.reject(new Error('refused'))
        : new Promise<never>((_, reject) => {
            fail = reject;
          });
    const failures: string[] = [];
    const ended = expect(retryUntilAborted(attempt, options(clock, stop, failures))).rejects.toBe('enough');
    await clock.advance(50);
    stop.abort('enough');
    fail(new Error('too late'));
    await ended;
    expect(clock.pending).toBe(0);
    expect(failures).toEqual(when === 'while it waits' ? ['1 refused @0'] : []);
  });

  it('does not begin when the signal has aborted', async () => {
    const stop = new AbortController();
    stop.abort('enough');
    let tried = false;
    const attempt = async () => {
      tried = true;
    };
    await expect(retryUntilAborted(attempt, options(new VirtualClock(), stop))).rejects.toBe('enough');
    expect(tried).toBe(false);
  });
});
