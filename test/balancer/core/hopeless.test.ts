import { describe, expect, it } from 'vitest';
import { hopeless } from '../../../src/balancer/core/hopeless.js';

/** Half of the calls take 20 ms, nearly all 100. */
const latencies = (q: number) => (q <= 0.5 ? 20 : 100);
const unknown = () => undefined;

describe('hopeless', () => {
  it.each([
    { waited: 0, left: 19, is: true, why: 'less time than half of the calls take' },
    { waited: 0, left: 20, is: false, why: 'as much as half of them take' },
    { waited: 50, left: 50, is: false, why: 'half of its time waited, half of it left' },
    { waited: 51, left: 50, is: true, why: 'more waited than left, and less than nearly all take' },
    { waited: 900, left: 99, is: true, why: 'the same, of a long wait' },
    { waited: 900, left: 100, is: false, why: 'as much as nearly all take, however long the wait' },
    { waited: 900, left: Number.POSITIVE_INFINITY, is: false, why: 'no deadline' },
  ])('$is: $why', ({ waited, left, is }) => {
    expect(hopeless(waited, left, latencies)).toBe(is);
  });

  it('gives nobody up while too little is known of latencies', () => {
    expect(hopeless(999, 1, unknown)).toBe(false);
  });
});
