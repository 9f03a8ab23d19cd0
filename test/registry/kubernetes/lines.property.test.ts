import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader } from '../../../src/registry/kubernetes/lines.js';

describe('lines of a watch', () => {
  it('are the same however the bytes are cut', () => {
    const texts = fc.array(
      fc
        .string({ unit: 'grapheme' })
        .filter((text) => !/[\n\r]/.test(text) && text.trim() === text && text !== ''),
    );
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.nat(40)),
        fc.string().filter((text) => !text.includes('\n')),
        (lines, cuts, rest) => {
          const bytes = Buffer.from(lines.map((one) => `${one}\n`).join('') + rest);
          const reader = new LineReader();
          const read: string[] = [];
          let from = 0;
          for (const cut of [...cuts, bytes.length]) {
            read.push(...reader.read(bytes.subarray(from, from + cut)));
            from += cut;
          }
          expect(read).toEqual(lines);
          expect(reader.open).toBe(rest !== '' && from >= bytes.length);
        },
      ),
    );
  });

  it('are bounded', () => {
    const reader = new LineReader();
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const flood = () => {
      for (let i = 0; i < 20; i++) for (const _ of reader.read(chunk)) expect.unreachable();
    };
    expect(flood).toThrow(/longer than/);
  });
});
