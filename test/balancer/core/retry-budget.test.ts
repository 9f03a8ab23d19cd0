import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryBudget } from '../../../src/balancer/core/retry-budget.js';

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
