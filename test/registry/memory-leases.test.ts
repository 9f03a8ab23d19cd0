import { describe, expect, it } from 'vitest';
import { MemoryLeases } from '../../src/registry/memory-leases.js';
import { VirtualClock } from '../../src/testing/index.js';
import { endpoint } from '../support/endpoints.js';

const A = endpoint('/p/s/a:1', 'a:1');
const B = endpoint('/p/s/b:1', 'b:1');

function setUp() {
  const clock = new VirtualClock();
  const told: string[] = [];
  const leases = new MemoryLeases(clock, (put, removed) => {
    told.push(`+${put.map(({ id }) => id).join()} -${removed.join()}`);
  });
  return { clock, told, leases, ids: () => [...leases.endpoints()].map(({ id }) => id) };
}

describe('MemoryLeases', () => {
  it('keeps a lease for its time from when it was last kept alive', async () => {
    const { clock, leases } = setUp();
    await leases.grant('1', 2);
    await clock.advance(1_999);
    expect(await leases.keepAlive('1')).toBe(true);
    await clock.advance(1_999);
    expect(await leases.keepAlive('1')).toBe(true);
    await clock.advance(2_000);
    expect(await leases.keepAlive('1')).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('leaves a lease as it is that is granted again', async () => {
    const { clock, leases, ids } = setUp();
    await leases.grant('1', 2);
    await leases.put(A, '1', 0n);
    await clock.advance(1_000);
    await leases.grant('1', 60);
    expect(ids()).toEqual([A.id]);
    await clock.advance(1_000);
    expect(ids()).toEqual([]);
  });

  it('puts a key that is still as it was seen, and no other', async () => {
    const { leases, told } = setUp();
    await leases.grant('1', 2);
    expect(await leases.put(A, '1', 1n)).toBe('changed');
    expect(await leases.put(A, '2', 0n)).toBe('lease-gone');
    expect(await leases.put(A, '1', 0n)).toBe('put');
    expect(await leases.put(A, '1', 0n)).toBe('changed');
    expect(await leases.holder(A.id)).toEqual({ lease: '1', revision: 1n });
    expect(await leases.put(A, '1', 1n)).toBe('put');
    expect(await leases.holder(A.id)).toEqual({ lease: '1', revision: 2n });
    expect(await leases.holder(B.id)).toBeUndefined();
    expect(told).toEqual([`+${A.id} -`, `+${A.id} -`]);
  });

  it('counts every change as a revision', async () => {
    const { clock, leases } = setUp();
    await leases.grant('1', 2);
    await leases.put(A, '1', 0n);
    await leases.remove(A.id);
    await leases.put(A, '1', 0n);
    expect(await leases.holder(A.id)).toMatchObject({ revision: 3n });
    await clock.advance(2_000);
    await leases.grant('1', 2);
    await leases.put(A, '1', 0n);
    expect(await leases.holder(A.id)).toMatchObject({ revision: 5n });
  });

  it('removes the keys of a lease that ends, in one change, and none that has moved to another', async () => {
    const { leases, told, ids } = setUp();
    await leases.grant('1', 60);
    await leases.grant('2', 60);
    const C = endpoint('/p/s/c:1', 'c:1');
    for (const each of [A, B, C]) await leases.put(each, '1', 0n);
    await leases.put(A, '2', 1n);
    told.length = 0;
    await leases.revoke('1');
    expect(told).toEqual([`+ -${B.id},${C.id}`]);
    expect(ids()).toEqual([A.id]);
    await leases.revoke('1');
    await leases.revoke('none');
    await leases.grant('3', 60);
    await leases.revoke('3');
    expect(told).toHaveLength(1);
  });

  it('removes a key behind the back of its lease, which goes on', async () => {
    const { leases, told, ids } = setUp();
    await leases.grant('1', 60);
    await leases.put(A, '1', 0n);
    await leases.put(B, '1', 0n);
    told.length = 0;
    expect(await leases.remove(A.id)).toBe(true);
    expect(await leases.remove(A.id)).toBe(false);
    expect(told).toEqual([`+ -${A.id}`]);
    expect(ids()).toEqual([B.id]);
    await leases.revoke('1');
    expect(told[1]).toBe(`+ -${B.id}`);
  });

  it('refuses everything while it is stopped, and lets no lease end', async () => {
    const { clock, leases, ids } = setUp();
    await leases.grant('1', 2);
    await leases.put(A, '1', 0n);
    expect(leases.running).toBe(true);
    leases.stop();
    expect(leases.running).toBe(false);
    const refused = expect.objectContaining({
      code: 'REGISTRY_UNAVAILABLE',
      message: 'the in-memory registry is stopped',
    });
    await expect(leases.grant('2', 2)).rejects.toEqual(refused);
    await expect(leases.keepAlive('1')).rejects.toEqual(refused);
    await expect(leases.holder(A.id)).rejects.toEqual(refused);
    await expect(leases.put(B, '1', 0n)).rejects.toEqual(refused);
    await expect(leases.revoke('1')).rejects.toEqual(refused);
    await expect(leases.remove(A.id)).rejects.toEqual(refused);
    await clock.advance(60_000);
    expect(ids()).toEqual([A.id]);
    leases.start();
    expect(leases.running).toBe(true);
    await clock.advance(1_999);
    expect(ids()).toEqual([A.id]);
    await clock.advance(1);
    expect(ids()).toEqual([]);
  });
});
