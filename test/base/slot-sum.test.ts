import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotSum } from '../../src/base/slot-sum.js';

describe('SlotSum', () => {
  it('is the sum of what was last set, for any slots in any order', () => {
    const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(1_000)), { maxLength: 100 });
    fc.assert(
      fc.property(changes, (steps) => {
        const sum = new SlotSum();
        const model = new Map<number, number>();
        for (const [slot, value] of steps) {
          sum.set(slot, value);
          model.set(slot, value);
          expect(sum.total).toBe([...model.values()].reduce((a, b) => a + b, 0));
        }
      }),
    );
  });

  it('begins at 0', () => {
    expect(new SlotSum().total).toBe(0);
  });

  it('is not worn out by great numbers that come and go', () => {
    const sum = new SlotSum();
    sum.set(0, 1e-6);
    sum.set(1, 3e-6);
    for (let i = 0; i < 1_000; i++) {
      sum.set(2 + (i % 70), 4e9 / (i + 1));
      sum.set(2 + (i % 70), 0);
    }
    expect(sum.total).toBe(1e-6 + 3e-6);
  });
});
