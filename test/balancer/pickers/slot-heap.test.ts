import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotHeap } from '../../../src/balancer/pickers/slot-heap.js';
import { NONE, SlotLists } from '../../../src/balancer/pickers/slot-lists.js';

describe('SlotHeap', () => {
  it('always has the smallest key on top, as a map that is searched has', () => {
    const events = fc.array(fc.tuple(fc.nat(3), fc.nat(60), fc.nat(1_000)), { maxLength: 400 });
    fc.assert(
      fc.property(events, (steps) => {
        const heap = new SlotHeap();
        const model = new Map<number, number>();
        for (const [event, slot, key] of steps) {
          if (event < 3) {
            heap.set(slot, key);
            model.set(slot, key);
          } else {
            heap.delete(slot);
            model.delete(slot);
          }
          expect(heap.size).toBe(model.size);
          expect(heap.topKey).toBe(Math.min(...model.values()));
          expect(heap.top === NONE).toBe(model.size === 0);
          if (heap.top !== NONE) expect(model.get(heap.top)).toBe(heap.topKey);
          for (const [known, value] of model) expect(heap.keyOf(known)).toBe(value);
          expect(heap.has(slot)).toBe(model.has(slot));
        }
        const inside = Array.from({ length: heap.size }, (_, i) => heap.at(i));
        expect(inside.sort((a, b) => a - b)).toEqual([...model.keys()].sort((a, b) => a - b));
      }),
    );
  });
});

describe('SlotLists', () => {
  it('keeps each list as an array would', () => {
    const events = fc.array(fc.tuple(fc.nat(2), fc.nat(40)), { maxLength: 300 });
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
            const walked: number[] = [];
            for (let next = firsts[i]!; walked.length < slots.length; next = lists.next(next))
              walked.push(next);
            expect(walked).toEqual(slots);
            expect(slots.length === 0).toBe(firsts[i] === NONE);
          }
        }
      }),
    );
  });
});
