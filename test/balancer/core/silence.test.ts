import { expect, it } from 'vitest';
import { Silence } from '../../../src/balancer/core/silence.js';
import { Status } from '../../../src/base/errors.js';

const { OK, DEADLINE_EXCEEDED, UNAVAILABLE, CANCELLED } = Status;

/** Calls that end on row `a`: code, when, and how long they took. Which of them raised a doubt. */
function doubts(
  ...ends: [code: number, at: number, latencyMs: number | undefined, row?: string][]
): number[] {
  const silence = new Silence<string>();
  return ends
    .filter(([code, at, latencyMs, row = 'a']) => silence.finished(row, { code, latencyMs }, 0, at))
    .map(([, at]) => at);
}

it('doubts a connection when calls have run out of time for a second, with no answer between', () => {
  expect(doubts([DEADLINE_EXCEEDED, 500, 500], [DEADLINE_EXCEEDED, 999, 500])).toEqual([]);
  expect(doubts([DEADLINE_EXCEEDED, 500, 500], [DEADLINE_EXCEEDED, 1_000, 500])).toEqual([1_000]);
  expect(doubts([DEADLINE_EXCEEDED, 5_000, 1_000])).toEqual([5_000]);
});

it.each([OK, UNAVAILABLE])('takes code %i for an answer', (code) => {
  expect(
    doubts([DEADLINE_EXCEEDED, 900, 500], [code, 950, 10], [DEADLINE_EXCEEDED, 1_800, 500], [OK, 1_801, 1]),
  ).toEqual([]);
});

it('takes a cancellation, and a call that was never sent, for none', () => {
  expect(
    doubts(
      [DEADLINE_EXCEEDED, 500, 500],
      [CANCELLED, 600, 100],
      [UNAVAILABLE, 700, undefined],
      [DEADLINE_EXCEEDED, 1_000, 500],
    ),
  ).toEqual([1_000]);
});

it('does not doubt it again within ten seconds, though it answers between', () => {
  const late = (at: number) => [DEADLINE_EXCEEDED, at, 2_000] as [number, number, number];
  expect(doubts(late(2_000), late(4_000), [OK, 4_100, 1], late(11_999), late(12_000))).toEqual([
    2_000, 12_000,
  ]);
});

it('knows rows apart, and forgets', () => {
  expect(doubts([DEADLINE_EXCEEDED, 500, 500, 'a'], [DEADLINE_EXCEEDED, 1_000, 500, 'b'])).toEqual([]);
  const silence = new Silence<string>();
  silence.finished('a', { code: DEADLINE_EXCEEDED, latencyMs: 500 }, 0, 500);
  silence.forget('a');
  expect(silence.finished('a', { code: DEADLINE_EXCEEDED, latencyMs: 500 }, 0, 1_000)).toBe(false);
});

it('takes no call for the connection that began before it', () => {
  const silence = new Silence<string>();
  expect(silence.finished('a', { code: DEADLINE_EXCEEDED, latencyMs: 5_000 }, 5_001, 10_000)).toBe(false);
  expect(silence.finished('a', { code: DEADLINE_EXCEEDED, latencyMs: 4_999 }, 5_001, 10_000)).toBe(true);
});
