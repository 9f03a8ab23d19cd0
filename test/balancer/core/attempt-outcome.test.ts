import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttemptEnd,
  attemptOutcome,
  type CallSoFar,
  type Reached,
} from '../../../src/balancer/core/attempt-outcome.js';
import { retryPolicy } from '../../../src/balancer/core/retry-options.js';
import { Status } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';

const { OK, UNAVAILABLE, INTERNAL, ABORTED, DEADLINE_EXCEEDED, CANCELLED } = Status;

/** What becomes of a call, and how often the budget was asked. */
function decide(end: Partial<AttemptEnd>, call: Partial<CallSoFar> = {}, budget = true) {
  let asked = 0;
  const outcome = attemptOutcome(
    { code: UNAVAILABLE, reached: 'maybe', timedOut: false, ...end },
    { retry: undefined, failures: 0, committed: false, last: false, ...call },
    () => {
      asked++;
      return budget;
    },
    // As much as there is.
    (bound) => bound - 1,
  );
  return { ...outcome, asked };
}

const retry = retryPolicy({ maxAttempts: 3, backoff: { baseMs: 100, maxMs: 1_000 } });
const END = { kind: 'end', asked: 0 };
const ELSEWHERE = { kind: 'elsewhere', asked: 0 };

describe('what becomes of a call after an attempt', () => {
  it.each(['never', 'refused'] as const)(
    'that %s reached a server: it goes elsewhere, without a policy',
    (reached) => {
      expect(decide({ reached })).toEqual(ELSEWHERE);
      expect(decide({ reached, code: INTERNAL })).toEqual(ELSEWHERE);
      expect(decide({ reached }, { retry, failures: 2, last: true }, false)).toEqual(ELSEWHERE);
    },
  );

  it('that could not be sent at all: it ends, for it would be no better elsewhere', () => {
    for (const code of [UNAVAILABLE, INTERNAL])
      expect(decide({ code, reached: 'unsendable' }, { retry })).toEqual(END);
  });

  it('that ran out of time or was cancelled before it reached a server: it ends', () => {
    for (const code of [DEADLINE_EXCEEDED, CANCELLED])
      expect(decide({ code, reached: 'never' })).toEqual(END);
  });

  it('that a server may have seen: it ends without a policy, and is tried again by one', () => {
    expect(decide({})).toEqual(END);
    expect(decide({}, { retry })).toEqual({ kind: 'retry', afterMs: 100, asked: 1 });
    expect(decide({}, { retry, failures: 1 })).toEqual({ kind: 'retry', afterMs: 200, asked: 1 });
  });

  it('by which it is committed: it ends', () => {
    for (const reached of ['never', 'refused', 'maybe'] as const) {
      expect(decide({ reached }, { retry, committed: true })).toEqual(END);
    }
  });

  it('that was the last, for want of attempts or of time: it ends', () => {
    expect(decide({}, { retry, failures: 2 })).toEqual(END);
    expect(decide({}, { retry, last: true })).toEqual(END);
  });

  it('with another code: it ends, unless the policy has it', () => {
    expect(decide({ code: ABORTED }, { retry })).toEqual(END);
    const aborted = retryPolicy({ codes: ['ABORTED'] });
    expect(decide({ code: ABORTED }, { retry: aborted }).kind).toBe('retry');
    expect(decide({}, { retry: aborted })).toEqual(END);
  });

  it('that took longer than an attempt may: it is tried again, whatever codes the policy has', () => {
    expect(decide({ code: DEADLINE_EXCEEDED, timedOut: true }, { retry }).kind).toBe('retry');
    expect(decide({ code: DEADLINE_EXCEEDED }, { retry })).toEqual(END);
    expect(decide({ code: ABORTED, timedOut: true }, { retry })).toEqual(END);
  });

  it('without a budget left: it ends', () => {
    expect(decide({}, { retry }, false)).toEqual({ kind: 'end', asked: 1 });
  });

  it.each([
    ['0', 0],
    ['700', 700],
    ['2147483647', 2_147_483_647],
  ])('with a pushback of %s: it waits as long as that', (pushback, afterMs) => {
    expect(decide({ pushback }, { retry })).toEqual({ kind: 'retry', afterMs, asked: 1 });
  });

  it.each(['-1', '', 'x', '1.5', '1e3', ' 1', '2147483648', '99999999999999999999'])(
    'with a pushback of %j: it ends, without asking the budget',
    (pushback) => {
      expect(decide({ pushback }, { retry })).toEqual(END);
    },
  );

  it('is sound for anything: nothing follows what is good, committed or unsendable, and the budget is asked for retries alone', () => {
    const ends = fc.record({
      code: fc.integer({ min: 0, max: 20 }),
      reached: fc.constantFrom<Reached>('never', 'unsendable', 'refused', 'maybe'),
      timedOut: fc.boolean(),
      pushback: fc.option(fc.oneof(fc.string(), fc.nat().map(String)), { nil: undefined }),
    });
    const calls = fc.record({
      retry: fc.option(fc.constant(retry), { nil: undefined }),
      failures: fc.nat({ max: 4 }),
      committed: fc.boolean(),
      last: fc.boolean(),
    });
    fc.assert(
      fc.property(ends, calls, fc.boolean(), fc.nat(), (end, call, budget, seed) => {
        let asked = 0;
        const ask = () => {
          asked++;
          return budget;
        };
        const outcome = attemptOutcome(end, call, ask, seededRandom(seed));
        if (end.code === OK || call.committed || end.reached === 'unsendable')
          expect(outcome.kind).toBe('end');
        if (end.reached === 'maybe') expect(outcome.kind).not.toBe('elsewhere');
        if (outcome.kind === 'retry') {
          expect([asked, budget, call.last]).toEqual([1, true, false]);
          expect(call.failures + 1).toBeLessThan(call.retry!.maxAttempts);
          if (end.pushback === undefined) expect(outcome.afterMs).toBeLessThanOrEqual(retry.backoff.maxMs);
        } else {
          expect(asked).toBe(outcome.kind === 'end' && !budget && asked === 1 ? 1 : 0);
        }
      }),
    );
  });
});
