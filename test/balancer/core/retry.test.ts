import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type MethodOptions,
  Policies,
  RetryBudget,
  type RetryOptions,
  retryPolicy,
} from '../../../src/balancer/core/retry.js';
import { Status } from '../../../src/base/errors.js';

const DEFAULTS = {
  maxAttempts: 3,
  codes: new Set([Status.UNAVAILABLE]),
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

  it.each(['unavailable', 'OK', 'CANCELLED', 'toString', '14', 0, 1, 17, 1.5, -1, Number.NaN, null])(
    'refuses the code %j, and names those that there are',
    (code) => {
      expect(() => retryPolicy({ codes: [code as never] })).toThrow(
        expect.objectContaining({
          code: 'INVALID_OPTION',
          message: expect.stringMatching(
            /^retry\.codes has .+, which is none of UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, .+, UNAUTHENTICATED$/,
          ),
        }),
      );
    },
  );
});

describe('the policy of a method', () => {
  const own = '/p.S/Own';
  const retried = (attempts: number) => ({ retry: { maxAttempts: attempts } });
  const attempts = (policies: Policies, path: string) => policies.of(path).retry?.maxAttempts;

  it('is its own, else that of its service, else that of the pool', () => {
    const policies = new Policies({
      ...retried(2),
      methods: { '/p.S/*': retried(3), [own]: retried(4) },
      timeoutMs: 9,
    });
    expect([own, '/p.S/Other', '/p.S2/Other', '/p/S/Other'].map((path) => attempts(policies, path))).toEqual([
      4, 3, 2, 2,
    ]);
    expect(policies.of(own).timeoutMs).toBe(9);
    expect(policies.of(own)).toBe(policies.of(own));
  });

  it('is not mixed of two: what a method leaves out is as in the pool', () => {
    const methods = { '/p.S/*': { ...retried(3), timeoutMs: 5 }, [own]: {} };
    const policies = new Policies({ methods, timeoutMs: 7 });
    expect(policies.of(own)).toEqual({ retry: undefined, hedge: undefined, timeoutMs: 7 });
    expect(policies.of('/p.S/Other')).toMatchObject({ retry: { maxAttempts: 3 }, timeoutMs: 5 });
  });

  it.each([
    ['nothing is declared', {}, undefined, DEFAULTS],
    ['it is declared to be idempotent', { idempotent: true }, DEFAULTS, DEFAULTS],
    ['it is declared not to be', { idempotent: false }, undefined, undefined],
    ['it is never to be retried', { idempotent: true, retry: false }, undefined, undefined],
  ] as const)(
    'without one of the pool, by default and as the proto marks it, when %s',
    (_, options, plain, marked) => {
      const policies = new Policies({ methods: { [own]: options } });
      expect(policies.of(own).retry).toEqual(plain);
      expect(policies.ofIdempotent(own).retry).toEqual(marked);
    },
  );

  it('of the pool goes before the default of the idempotent; false goes before the pool', () => {
    const policies = new Policies({ ...retried(9), methods: { [own]: { retry: false } } });
    expect(policies.ofIdempotent('/p.S/Other').retry?.maxAttempts).toBe(9);
    expect(policies.of(own).retry).toBeUndefined();
    expect(policies.ofIdempotent(own).retry).toBeUndefined();
  });

  it('hedges what is idempotent only', () => {
    const hedge = { delayMs: 5 };
    expect(new Policies({ methods: { [own]: { idempotent: true, hedge } } }).of(own).hedge).toBe(hedge);
    expect(() => new Policies({ methods: { [own]: { hedge } } })).toThrow('declared idempotent: true');
  });

  it.each([
    [{ [own]: { retry: { maxAttempts: 0 } } }, 'retry.maxAttempts is 0'],
    [{ [own]: { timeoutMs: -1 } }, 'timeoutMs is -1, and must be a number from 0 to Infinity'],
    [
      { [own]: { idempotent: true, hedge: { delayMs: -1 } } },
      'hedge.delayMs is -1, and must be a number of 0 or more',
    ],
    ...['S/Own', '/p.S', '/p.S/', '*', '/p.S/Own/x', ''].map((path) => [
      { [path]: {} },
      `methods has "${path}", which is not /package.Service/Method or /package.Service/*`,
    ]),
  ] as [Record<string, MethodOptions>, string][])(
    'is checked when it is declared: %j',
    (methods, message) => {
      expect(() => new Policies({ methods })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(message) }),
      );
    },
  );

  it('holds for names without end, of which a bounded number is remembered', () => {
    const policies = new Policies({ methods: { '/p.S/*': retried(4) } });
    for (let i = 0; i < 2_000; i++) expect(attempts(policies, `/p.S/M${i}`)).toBe(4);
    expect(policies.of('/p.S/M1')).toBe(policies.of('/p.S/M1'));
    expect(policies.of('/p.S/M1999')).not.toBe(policies.of('/p.S/M1999'));
  });
});

describe('RetryBudget', () => {
  const spend = (budget: RetryBudget, now: number) => {
    let spent = 0;
    while (budget.tryRetry(now)) spent++;
    return spent;
  };

  it('gives a fifth of the calls and ten a second, over ten seconds', () => {
    const budget = new RetryBudget();
    expect(spend(budget, 500)).toBe(100);
    for (let i = 0; i < 1_000; i++) budget.called(9_999);
    expect(spend(budget, 9_999)).toBe(200);
    // The first hundred were in a second that has passed.
    expect(spend(budget, 10_000)).toBe(100);
    expect(spend(budget, 1e9)).toBe(100);
  });

  it('gives none when there are to be none', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0 });
    budget.called(0);
    expect(budget.tryRetry(0)).toBe(false);
  });

  it.each([
    [{ ratio: -0.1 }, 'retryBudget.ratio is -0.1'],
    [{ minPerSecond: Number.NaN }, 'retryBudget.minPerSecond is NaN'],
  ])('refuses %j', (options, message) => {
    expect(() => new RetryBudget(options)).toThrow(message);
  });

  it('does as a count of what happened in this second and the nine before it', () => {
    const happens = fc.tuple(
      fc.constantFrom(0, 1, 999, 1_000, 4_500, 9_000, 10_000, 55_000),
      fc.nat(20),
      fc.nat(20),
    );
    const ratio = fc.constantFrom(0, 0.2, 0.5, 1);
    fc.assert(
      fc.property(
        ratio,
        fc.constantFrom(0, 0.3, 1),
        fc.array(happens, { maxLength: 200, size: 'max' }),
        (ratio, minPerSecond, all) => {
          const budget = new RetryBudget({ ratio, minPerSecond });
          const calls: number[] = [];
          const retries: number[] = [];
          let now = 0;
          const recent = (of: number[]) =>
            of.filter((second) => second > Math.floor(now / 1_000) - 10).length;
          for (const [ms, called, wanted] of all) {
            now += ms;
            const second = Math.floor(now / 1_000);
            for (let i = 0; i < called; i++) {
              budget.called(now);
              calls.push(second);
            }
            for (let i = 0; i < wanted; i++) {
              const may = recent(retries) + 1 <= recent(calls) * ratio + minPerSecond * 10;
              expect(budget.tryRetry(now)).toBe(may);
              if (may) retries.push(second);
            }
          }
        },
      ),
    );
  });
});
