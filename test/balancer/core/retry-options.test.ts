import { describe, expect, it } from 'vitest';
import { type RetryOptions, retryPolicy } from '../../../src/balancer/core/retry-options.js';
import { Status } from '../../../src/base/errors.js';

const DEFAULTS = {
  maxAttempts: 3,
  codes: new Set([Status.UNAVAILABLE, Status.CANCELLED]),
  perAttemptTimeoutMs: Number.POSITIVE_INFINITY,
  backoff: { baseMs: 25, maxMs: 1_000 },
};

describe('retryPolicy', () => {
  it('fills in what is left out, also of the back-off', () => {
    expect(retryPolicy({})).toEqual(DEFAULTS);
    expect(retryPolicy({ maxAttempts: 5, backoff: { maxMs: 50 } })).toEqual({
      ...DEFAULTS,
      maxAttempts: 5,
      backoff: { baseMs: 25, maxMs: 50 },
    });
  });

  it('takes codes by name and by number', () => {
    expect(retryPolicy({ codes: ['ABORTED', 14, 'ABORTED'] }).codes).toEqual(
      new Set([Status.ABORTED, Status.UNAVAILABLE]),
    );
  });

  it.each([
    [{ maxAttempts: 1 }, 'retry.maxAttempts is 1, and must be an integer of 2 or more'],
    [{ maxAttempts: 2.5 }, 'retry.maxAttempts is 2.5, and must be an integer of 2 or more'],
    [{ maxAttempts: '3' as never }, 'retry.maxAttempts is "3", and must be an integer of 2 or more'],
    [{ perAttemptTimeoutMs: 0 }, 'retry.perAttemptTimeoutMs is 0, and must be a number from 1 to Infinity'],
    [{ backoff: { baseMs: -1 } }, 'retry.backoff.baseMs is -1, and must be a number of 0 or more'],
    [{ backoff: { maxMs: Number.NaN } }, 'retry.backoff.maxMs is NaN, and must be a number of 0 or more'],
  ] as [RetryOptions, string][])('refuses %j', (options, message) => {
    expect(() => retryPolicy(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message }));
  });

  it.each(['unavailable', 'OK', 'toString', '14', 0, 17, 1.5, -1, Number.NaN, null])(
    'refuses the code %j, and names those that there are',
    (code) => {
      expect(() => retryPolicy({ codes: [code as never] })).toThrow(
        expect.objectContaining({
          code: 'INVALID_OPTION',
          message: expect.stringMatching(
            /^retry\.codes has .+, which is none of CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, .+, UNAUTHENTICATED$/,
          ),
        }),
      );
    },
  );
});
