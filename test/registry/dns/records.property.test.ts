import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointsOf, isUnspecified, type ServerRecord } from '../../../src/registry/dns/records.js';

const srv = fc.record({
  target: fc.constantFrom('a', 'b'),
  priority: fc.nat(3),
  weight: fc.double({ min: 0.1, max: 100, noNaN: true }),
});
const record: fc.Arbitrary<ServerRecord> = fc.record({
  ip: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1'),
  port: fc.integer({ min: 1, max: 3 }),
  srv,
});

describe('endpoints of SRV records', () => {
  it('are each address once, and have the weight of the lowest priority alone', () => {
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const endpoints = endpointsOf(records, 'x');
        const addresses = endpoints.map(({ address }) => address);
        expect(new Set(addresses).size).toBe(addresses.length);
        expect(addresses).toEqual([...addresses].sort());
        const lowest = Math.min(...records.map((one) => one.srv!.priority));
        const total = records.reduce(
          (sum, one) => sum + (one.srv!.priority === lowest ? one.srv!.weight : 0),
          0,
        );
        expect(endpoints.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(total, 6);
        for (const { weight, metadata } of endpoints) {
          expect(weight > 0).toBe(metadata.priority === String(lowest));
        }
      }),
    );
  });

  it('do not depend on the order of the records, but for their targets', () => {
    const told = (records: readonly ServerRecord[]) =>
      endpointsOf(records, 'x').map(({ address, weight, metadata }) => [
        address,
        weight.toFixed(6),
        metadata.priority,
      ]);
    fc.assert(
      fc.property(fc.array(record), (records) => {
        expect(told([...records].reverse())).toEqual(told(records));
      }),
    );
  });
});

it('an address of zeros alone is none', () => {
  for (const ip of ['0.0.0.0', '::']) expect(isUnspecified(ip)).toBe(true);
  for (const ip of ['10.0.0.0', '::1', '0.0.0.1', 'fd00::']) expect(isUnspecified(ip)).toBe(false);
});
