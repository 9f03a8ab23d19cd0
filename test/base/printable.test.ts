import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../src/base/printable.js';

describe('printable', () => {
  it.each([
    ['Hello world 7 from [::1]:50001', 'Hello world 7 from [::1]:50001'],
    ['größer 語 😀', 'größer 語 😀'],
    ['two\nlines\r\n\tand a tab', 'two\\nlines\\r\\n\\tand a tab'],
    ['\u001b[2J\u001b]0;title\u0007', '\\x1b[2J\\x1b]0;title\\x07'],
    ['\u0000\u007f\u009b31m', '\\x00\\x7f\\x9b31m'],
    ['a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['user\u202egpj.exe', 'user\\u202egpj.exe'],
    ['\ud800 alone', '\\ud800 alone'],
  ])('%j is %s', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('leaves nothing that a terminal acts on, of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
    );
  });
});
