import { describe, expect, it } from 'vitest';
import { type MethodOptions, Policies } from '../../../src/balancer/core/policies.js';
import { retryPolicy } from '../../../src/balancer/core/retry-options.js';

const DEFAULTS = retryPolicy({});

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
      { [own]: { idempotent: true, hedge: { delayMs: '50' as never } } },
      'hedge.delayMs is "50", and must be a number of 0 or more',
    ],
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
