import { describe, expect, it } from 'vitest';
import {
  booleanOption,
  functionOption,
  numberOption,
  objectOption,
  stringOption,
} from '../../src/base/options.js';

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

describe('objectOption', () => {
  const known = { maxPending: true, queue: true } as const;

  it('gives back an object that has only known names', () => {
    const given = { queue: 1 };
    expect(objectOption<{ queue?: number; maxPending?: number }>('x', given, known)).toBe(given);
    expect(objectOption('x', given)).toBe(given);
  });

  it.each([
    [undefined, 'x is undefined, and must be an object'],
    [5, 'x is 5, and must be an object'],
    ['yes', 'x is "yes", and must be an object'],
    [null, 'x is null, and must be an object'],
    [[], 'x is an array, and must be an object'],
    [() => {}, 'x is a function, and must be an object'],
  ])('refuses %j', (value, message) => {
    expect(() => objectOption('x', value as object)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message }),
    );
  });

  it.each([
    ['maxPendng', 'x: no option is called "maxPendng"; did you mean maxPending?'],
    ['MAXPENDING', 'x: no option is called "MAXPENDING"; did you mean maxPending?'],
    ['que', 'x: no option is called "que"; did you mean queue?'],
    ['colour', 'x: no option is called "colour"; there are maxPending, queue'],
    ['__proto__', 'x: no option is called "__proto__"; there are maxPending, queue'],
    ['constructor', 'x: no option is called "constructor"; there are maxPending, queue'],
  ])('refuses the name %s', (name, message) => {
    const given = Object.defineProperty({}, name, { value: 1, enumerable: true });
    expect(() => objectOption('x', given, known as Record<never, true>)).toThrow(message);
  });
});

describe('booleanOption', () => {
  it('takes true and false, and nothing that is only like them', () => {
    expect([booleanOption('x', true), booleanOption('x', false)]).toEqual([true, false]);
    expect(() => booleanOption('x', 'false' as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: 'x is "false", and must be true or false',
      }),
    );
  });
});

describe('stringOption and functionOption', () => {
  it('give back what is one', () => {
    const f = () => {};
    expect(stringOption('x', 'a')).toBe('a');
    expect(stringOption('x', '', { empty: true })).toBe('');
    expect(functionOption('x', f)).toBe(f);
  });

  it('refuse what is none', () => {
    expect(() => stringOption('x', '')).toThrow('x is "", and must be a string that is not empty');
    expect(() => stringOption('x', 5 as never)).toThrow('x is 5, and must be a string that is not empty');
    expect(() => stringOption('x', {} as never, { empty: true })).toThrow(
      'x is an object, and must be a string',
    );
    expect(() => functionOption('x', 'f')).toThrow('x is "f", and must be a function');
  });

  it('show no more of a long value than helps', () => {
    expect(() => functionOption('x', 'f'.repeat(1_000))).toThrow(/^x is "f{60}", and must be a function$/);
  });
});
