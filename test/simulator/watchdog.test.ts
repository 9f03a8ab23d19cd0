import { describe, expect, it } from 'vitest';
import { BalancerError } from '../../src/base/errors.js';
import { Watchdog } from '../../src/simulator/watchdog.js';

describe('a watchdog', () => {
  it.each([
    [
      'plainly',
      () => {
        for (;;);
      },
    ],
    [
      'and catches everything',
      () => {
        for (;;)
          try {
            JSON.parse('{');
          } catch {}
      },
    ],
  ])('stops what loops %s, and can be used again', (_, loop: () => never) => {
    const watchdog = new Watchdog('picker x', 20);
    expect(() => watchdog.run(loop)).toThrow(
      new BalancerError(
        'PICKER_FAILED',
        'picker x does not come to an end: it was stopped after 0.02 s; does it loop?',
      ),
    );
    expect(new Watchdog('picker x').run(() => 3)).toBe(3);
  });

  it('hands on what the work returns and throws', () => {
    const watchdog = new Watchdog('picker x');
    const made = { a: 1 };
    expect(watchdog.run(() => made)).toBe(made);
    expect(() =>
      watchdog.run(() => {
        throw new RangeError('mine');
      }),
    ).toThrow(RangeError);
  });
});
