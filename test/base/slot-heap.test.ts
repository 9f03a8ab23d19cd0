import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotHeap } from '../../src/base/slot-heap.js';
import { NONE, SlotLists, withRoom } from '../../src/base/slot-lists.js';

describe('SlotHeap', () => {
  it('always has the smallest key on top, as a map that is searched has', () => {
    const events = fc.array(
      fc.tuple(fc.nat(4), fc.nat(90), fc.oneof(fc.nat(1_000), fc.constant(Number.POSITIVE_INFINITY))),
      { maxLength: 400, size: 'max' },
    );
    fc.assert(
      fc.property(events, (steps) => {
        const heap = new SlotHeap();
        const model = new Map<number, number>();
        for (const [event, slot, key] of steps) {
          if (event < 3) {
            heap.set(slot, key);
            model.set(slot, key);
          } else if (event === 3) {
            heap.delete(slot);
            model.delete(slot);
          } else if (heap.size > 0) {
            const postponed = heap.topKey + key;
            model.set(heap.top, postponed);
            heap.postponeTop(postponed);
          }
          if (heap.size !== model.size || heap.has(slot) !== model.has(slot)) expect.fail(`slot ${slot}`);
          if (heap.topKey !== Math.min(...model.values())) expect.fail(`${heap.topKey} is on top`);
        }
        for (const [slot, key] of model) expect(heap.keyOf(slot)).toBe(key);
        expect(heap.top === NONE).toBe(model.size === 0);
        const inside = Array.from({ length: heap.size }, (_, i) => heap.at(i));
        expect(inside.sort((a, b) => a - b)).toEqual([...model.keys()].sort((a, b) => a - b));
        const keys = Array.from({ length: heap.size }, () => {
          const key = heap.topKey;
          heap.delete(heap.top);
          return key;
        });
        expect(keys).toEqual([...model.values()].sort((a, b) => a - b));
      }),
    );
  });
});

describe('withRoom', () => {
  it('gives the array itself while there is room, and else one of twice the length, or more where it takes more', () => {
    const array = Float64Array.of(1, 2, 3, 4);
    expect(withRoom(array, 3)).toBe(array);
    expect(withRoom(array, 4)).toEqual(Float64Array.of(1, 2, 3, 4, 0, 0, 0, 0));
    expect(withRoom(array, 20)).toHaveLength(21);
  });
});

describe('SlotLists', () => {
  it('keeps each list as an array would', () => {
    const events = fc.array(fc.tuple(fc.nat(2), fc.nat(40)), { maxLength: 300, size: 'max' });
    fc.assert(
      fc.property(events, (steps) => {
        const lists = new SlotLists();
        const firsts = [NONE, NONE, NONE];
        const model: number[][] = [[], [], []];
        for (const [list, slot] of steps) {
          const at = model.findIndex((slots) => slots.includes(slot));
          if (at >= 0) {
            firsts[at] = lists.remove(firsts[at]!, slot);
            model[at] = model[at]!.filter((other) => other !== slot);
          } else {
            firsts[list] = lists.append(firsts[list]!, slot);
            model[list]!.push(slot);
          }
          for (const [i, slots] of model.entries()) {
            let next = firsts[i]!;
            for (const expected of slots) {
              if (next !== expected) expect.fail(`${next} is where ${expected} should be`);
              next = lists.next(next);
            }
            if (next !== firsts[i]) expect.fail(`list ${i} does not end where it begins`);
          }
        }
      }),
    );
  });
});
