import { describe, expect, it } from 'vitest';
import { numberOption } from '../../src/base/options.js';

describe('numberOption', () => {
  it('gives back what is in the range', () => {
    expect(numberOption('x', 2, { min: 2, max: 10, integer: true })).toBe(2);
    expect(numberOption('x', 2.5, { min: 2 })).toBe(2.5);
    expect(numberOption('x', Number.POSITIVE_INFINITY, { min: 1, max: Number.POSITIVE_INFINITY })).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it.each([
    [1, 'x is 1, and must be an integer from 2 to 10'],
    [11, 'x is 11, and must be an integer from 2 to 10'],
    [2.5, 'x is 2.5, and must be an integer from 2 to 10'],
    [Number.NaN, 'x is NaN, and must be an integer from 2 to 10'],
    ['3', 'x is "3", and must be an integer from 2 to 10'],
    [null, 'x is null, and must be an integer from 2 to 10'],
  ])('refuses %j, and says what it must be', (value, message) => {
    const attempt = () => numberOption('x', value as number, { min: 2, max: 10, integer: true });
    expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message }));
  });

  it.each([Number.POSITIVE_INFINITY, Number.NaN, -1, 3n])(
    'refuses %s where there is no upper bound',
    (value) => {
      expect(() => numberOption('x', value as number, { min: 0 })).toThrow('must be a number of 0 or more');
    },
  );
});
