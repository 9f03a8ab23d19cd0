import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { newLease } from '../../src/registry/leases.js';
import { MemoryLeases } from '../../src/registry/memory-leases.js';
import { LeaseRegistrar, type LeaseRegistrarOptions } from '../../src/registry/registrar.js';
import { VirtualClock } from '../../src/testing/index.js';

function setUp(more: Partial<LeaseRegistrarOptions> = {}) {
  const clock = new VirtualClock();
  const ids = new Set<string>();
  const leases = new MemoryLeases(clock, (put, removed) => {
    for (const { id } of put) ids.add(id);
    for (const id of removed) ids.delete(id);
  });
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const registrar = new LeaseRegistrar({
    ...{ leases, prefix: 'p', clock, random: seededRandom(1), logger },
    ...more,
  });
  return { clock, ids, leases, lines, registrar };
}

describe('LeaseRegistrar', () => {
  it('announces under prefix, service and address, and instance where there is one', async () => {
    const { clock, ids, lines, registrar } = setUp();
    registrar.register('s', { address: 'a:1' });
    registrar.register('s', { address: 'a:1' }, { instance: 'x-1_2.3' });
    await clock.advance(0);
    expect([...ids]).toEqual(['/p/s/a:1', '/p/s/a:1#x-1_2.3']);
    expect(lines).toEqual(['registered /p/s/a:1', 'registered /p/s/a:1#x-1_2.3']);
    const plain = setUp({ leadingSlash: false });
    expect(plain.registrar.register('s', { address: 'a:1' }).id).toBe('p/s/a:1');
  });

  it('keeps a registration for 15 s without a word, or as long as it is told', async () => {
    for (const [options, seconds] of [
      [{}, 15],
      [{ ttlSeconds: 2 }, 2],
    ] as const) {
      const { clock, ids, registrar, leases } = setUp();
      registrar.register('s', { address: 'a:1' }, options);
      await clock.advance(0);
      leases.keepAlive = () => new Promise(() => {});
      // The next beat, which never comes to an end, is after at most 1.1 thirds; the lease was kept at the first.
      await clock.advance(seconds * 1_000 - 1);
      expect([...ids]).toEqual(['/p/s/a:1']);
      await clock.advance(1);
      expect([...ids]).toEqual([]);
    }
  });

  it.each([
    [{ ttlSeconds: 1 }, 'ttlSeconds 1 is not a whole number of seconds from 2 on'],
    [{ ttlSeconds: 2.5 }, 'ttlSeconds 2.5 is not a whole number of seconds from 2 on'],
    [{ ttlSeconds: 9_000_000_001 }, 'ttlSeconds 9000000001 is not'],
    [{ instance: '' }, 'instance "" of a:1 is not of letters, digits, "-", "_" and "."'],
    [{ instance: 'a/b' }, 'instance "a/b" of a:1 is not'],
    [{ instance: 'x'.repeat(101) }, 'of a:1 is not of letters'],
  ])('refuses %j', (options, message) => {
    const { registrar } = setUp();
    expect(() => registrar.register('s', { address: 'a:1' }, options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(message) }),
    );
  });

  it('takes the longest and the shortest time to live, and the longest instance', () => {
    const { registrar } = setUp();
    for (const ttlSeconds of [2, 9_000_000_000]) {
      expect(registrar.register('s', { address: 'a:1' }, { ttlSeconds }).state.kind).toBe('registering');
    }
    expect(registrar.register('s', { address: 'a:1' }, { instance: 'x'.repeat(100) }).id).toHaveLength(109);
  });

  it('refuses what nobody could dial, or what it is told to refuse', () => {
    const { registrar } = setUp();
    expect(() => registrar.register('s', { address: '0.0.0.0:1' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_ADDRESS',
        message: '0.0.0.0:1 is every address of this machine, and no client can dial it',
      }),
    );
    expect(() => registrar.register('s', { address: 'unix:/x' })).toThrow('in-memory');
    expect(() => registrar.register('s', { address: 'a:1', metadata: { weight: '1' } })).toThrow(
      'metadata of a:1 holds "weight", which has a field of its own',
    );
    const check = () => {
      throw new Error('not here');
    };
    expect(() => setUp({ check }).registrar.register('s', { address: 'a:1' })).toThrow('not here');
    expect(setUp({ allowUnix: true }).registrar.register('s', { address: 'unix:/x' }).id).toBe(
      '/p/s/unix:/x',
    );
  });

  it('closes all that it has registered, and registers nothing more', async () => {
    const { clock, ids, registrar } = setUp();
    const registrations = ['a:1', 'b:1'].map((address) => registrar.register('s', { address }));
    await clock.advance(0);
    expect(ids.size).toBe(2);
    await registrar[Symbol.asyncDispose]();
    expect(ids.size).toBe(0);
    expect(registrations.map(({ state }) => state.kind)).toEqual(['closed', 'closed']);
    expect(() => registrar.register('s', { address: 'a:1' })).toThrow(
      expect.objectContaining({ code: 'CLOSED', message: 'the registrar is closed' }),
    );
    expect(clock.pending).toBe(0);
  });
});

describe('newLease', () => {
  it('is a positive number of 63 bits, another each time', () => {
    const leases = Array.from({ length: 200 }, newLease);
    expect(new Set(leases).size).toBe(200);
    for (const lease of leases) {
      expect(BigInt(lease)).toBeGreaterThan(0n);
      expect(BigInt(lease)).toBeLessThan(2n ** 63n);
    }
    expect(leases.some((lease) => BigInt(lease) > 2n ** 60n)).toBe(true);
  });
});
