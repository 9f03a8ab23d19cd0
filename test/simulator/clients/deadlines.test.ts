import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Deadlines } from '../../../src/simulator/clients/deadlines.js';

it('deadlines come out in the order in which they went in, however many there are', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 12 }), (steps) => {
      const deadlines = new Deadlines();
      const model: number[] = [];
      let n = 0;
      for (const step of steps) {
        for (let i = 0; i < step; i++, n++) {
          deadlines.push(n / 2, n % 1_000, n);
          model.push(n);
        }
        for (let i = 0; i > step && model.length > 0; i--) {
          const expected = model.shift()!;
          const { nextAt, nextId, nextGeneration } = deadlines;
          if (nextAt !== expected / 2 || nextId !== expected % 1_000 || nextGeneration !== expected) {
            expect.fail(`${expected} is next, not ${nextAt}, ${nextId}, ${nextGeneration}`);
          }
          deadlines.shift();
        }
        expect(deadlines.nextAt).toBe(model.length === 0 ? Number.POSITIVE_INFINITY : model[0]! / 2);
      }
    }),
    { numRuns: 30 },
  );
});
