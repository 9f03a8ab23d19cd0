import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/base/endpoint.js';
import { SliceTable } from '../../../src/registry/kubernetes/slice-table.js';
import type { Family, Slice } from '../../../src/registry/kubernetes/slices.js';

const endpoint = (family: Family) =>
  fc.record({ n: fc.nat(4), zone: fc.constantFrom('a', 'b') }).map(({ n, zone }): Endpoint => {
    const address = family === 4 ? `10.0.0.${n}:1` : `[fd00::${n}]:1`;
    return { id: address, address, weight: 1, metadata: { zone } };
  });

const slice: fc.Arbitrary<Slice> = fc.constantFrom<Family>(4, 6).chain((family) =>
  fc.record({
    // Of a family of its own each, as a slice's cannot change.
    name: fc.constantFrom('p', 'q', 'r').map((name) => `${name}${family}`),
    family: fc.constant(family),
    endpoints: fc.uniqueArray(endpoint(family), { selector: ({ id }) => id, maxLength: 4 }),
    portless: fc.nat(2),
    complaint: fc.constant(undefined),
  }),
);

const step = fc.oneof(
  slice.map((put) => ({ put })),
  fc.constantFrom('p4', 'q4', 'r4', 'p6', 'q6', 'r6').map((remove) => ({ remove })),
  fc.uniqueArray(slice, { selector: ({ name }) => name, maxLength: 4 }).map((all) => ({ all })),
);

/** What the table is to be, from scratch. */
function naive(slices: ReadonlyMap<string, Slice>, family: Family | undefined): Map<string, Endpoint> {
  const of = (wanted: Family) => {
    const found = new Map<string, Endpoint>();
    for (const { endpoints, family } of [...slices.values()].sort((a, b) => (a.name < b.name ? 1 : -1))) {
      if (family === wanted) for (const one of endpoints) found.set(one.id, one);
    }
    return found;
  };
  if (family !== undefined) return of(family);
  return of(4).size > 0 ? of(4) : of(6);
}

describe('the table of slices', () => {
  it.each([undefined, 4, 6] as const)(
    'tells changes that add up to what a naive model has, family %s',
    (family) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
          const table = new SliceTable(family);
          const slices = new Map<string, Slice>();
          let told = new Map<string, Endpoint>();
          for (const now of steps) {
            if ('all' in now) {
              slices.clear();
              for (const one of now.all) slices.set(one.name, one);
              table.replace(now.all);
              told = new Map(table.endpoints().map((one) => [one.id, one]));
            } else {
              if ('put' in now) slices.set(now.put.name, now.put);
              else slices.delete(now.remove);
              const { put, removed } = 'put' in now ? table.put(now.put) : table.remove(now.remove);
              for (const id of removed)
                expect(told.delete(id), 'what was not there is not removed').toBe(true);
              for (const one of put) {
                expect(told.get(one.id), 'what is as it was is not put').not.toEqual(one);
                told.set(one.id, one);
              }
            }
            const expected = naive(slices, family);
            expect(new Map([...told].sort())).toEqual(new Map([...expected].sort()));
            expect(table.size).toBe(expected.size);
            expect(table.slices).toBe(slices.size);
            expect(table.portless).toBe([...slices.values()].reduce((sum, one) => sum + one.portless, 0));
          }
        }),
      );
    },
  );
});
