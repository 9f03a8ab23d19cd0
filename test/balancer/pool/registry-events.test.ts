import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usableEvent } from '../../../src/balancer/pool/registry-events.js';
import type { RegistryEvent } from '../../../src/registry/registry.js';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { PoolFixture } from '../../support/pool-fixture.js';

const GOOD = endpoint('id-h:1', 'h:1');

const BAD: [unknown, RegExp][] = [
  [null, /object is no endpoint/],
  ['h:1', /string is no endpoint/],
  [{ ...GOOD, id: 7 }, /its id is no text/],
  [{ ...GOOD, address: '' }, /"id-h:1" has no address/],
  [{ ...GOOD, address: 'x'.repeat(1_025) }, /has no address/],
  [{ ...GOOD, weight: 1e300 }, /has a weight that is not 0, nor a number from 1e-6/],
  [{ ...GOOD, weight: Number.NaN }, /has a weight/],
  [{ ...GOOD, weight: '1' }, /has a weight/],
  [{ ...GOOD, metadata: null }, /has no metadata, not even {}/],
];

describe('an endpoint of a registry', () => {
  it.each(BAD)('%j is left out, and told', (bad, why) => {
    const lines: string[] = [];
    const event = usableEvent({ kind: 'snapshot', endpoints: [bad as never, GOOD], preferred: 1 }, (line) =>
      lines.push(line),
    );
    expect(event).toEqual({ kind: 'snapshot', endpoints: [GOOD], preferred: 0 });
    expect(lines).toEqual([expect.stringMatching(why)]);
    const changes = usableEvent(
      { kind: 'changes', put: [GOOD, bad as never], removed: ['a', 5 as never] },
      () => {},
    );
    expect(changes).toEqual({ kind: 'changes', put: [GOOD], removed: ['a'] });
  });

  it('is told of in one line with all its like', () => {
    const lines: string[] = [];
    usableEvent({ kind: 'snapshot', endpoints: Array.from({ length: 5 }, () => ({}) as never) }, (line) =>
      lines.push(line),
    );
    expect(lines).toEqual([expect.stringMatching(/its id is no text, and 4 others$/)]);
  });
});

it('what is no event is an error, whatever it is', () => {
  for (const garbage of [
    undefined,
    null,
    5,
    'x',
    {},
    { kind: 'other' },
    { kind: 'snapshot' },
    { kind: 'changes', put: 5 },
  ]) {
    expect(() => usableEvent(garbage as unknown as RegistryEvent, () => {})).toThrow(
      expect.objectContaining({ code: 'REGISTRY_UNAVAILABLE' }),
    );
  }
});

it('nothing else is thrown by any value at all', () => {
  fc.assert(
    fc.property(fc.anything(), (garbage) => {
      try {
        usableEvent(garbage as RegistryEvent, () => {});
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'REGISTRY_UNAVAILABLE' });
      }
    }),
  );
});

it('a pool whose registry yields garbage says that it is stale, goes on, and asks it again', async () => {
  const f = await new PoolFixture({ picker: 'ring-hash' }).serving('h:1');
  f.registry.current.tell({
    kind: 'snapshot',
    endpoints: [GOOD, { ...GOOD, id: 'b', address: 'h:2', weight: 1e300 }],
  });
  await settle();
  expect(f.rows).toEqual(['h:1 ready 0']);
  expect(f.warnings).toEqual([expect.stringContaining('"b" has a weight')]);
  f.registry.current.tell({ kind: 'nonsense' } as never);
  await settle();
  expect(f.pool.snapshot().registry).toMatchObject({
    kind: 'stale',
    cause: { code: 'REGISTRY_UNAVAILABLE' },
  });
  await f.clock.advance(2_000);
  expect(f.registry.watches.length).toBe(2);
});
