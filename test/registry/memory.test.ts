import { describe, expect, it } from 'vitest';
import { type EndpointInit, endpointFrom } from '../../src/base/endpoint.js';
import { silentLogger } from '../../src/base/logger.js';
import { seededRandom } from '../../src/base/random.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import { LeaseRegistrar } from '../../src/registry/registrar.js';
import { Follower } from '../../src/testing/follower.js';
import { describeRegistry } from '../../src/testing/index.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { describePair, type PairHarness } from './contract.js';

async function harness(): Promise<PairHarness & { registry: MemoryRegistry; clock: VirtualClock }> {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const registry = new MemoryRegistry({ clock, random });
  // A second process, as a program sees it that lends its leases over a channel.
  const other = new LeaseRegistrar({
    leases: registry.leases,
    prefix: 'etcdv3_resolver',
    clock,
    random,
    logger: silentLogger,
  });
  return {
    clock,
    registry,
    registrars: [registry, other],
    leases: registry.leases,
    async until(what, check) {
      for (let waited = 0; !check(); waited += 10) {
        if (waited > 60_000) throw new Error(`waited in vain for: ${what}`);
        await clock.advance(10);
      }
    },
    pass: (ms) => clock.advance(ms),
    stop: async () => registry.stop(),
    start: async () => registry.start(),
    async close() {
      const closed = Promise.all([registry.close(), other.close()]);
      await clock.advance(3_000);
      await closed;
      expect(clock.pending).toBe(0);
    },
  };
}

describeRegistry(
  'in memory',
  async () => {
    const { registry, leases, until, stop, start, close } = await harness();
    const limits = { timeoutMs: 1 };
    const lease = '1';
    await leases.grant(lease, 3_600, limits);
    const idOf = (service: string, address: string) => `/etcdv3_resolver/${service}/${address}`;
    const put = async (service: string, endpoint: EndpointInit) => {
      const id = idOf(service, endpoint.address);
      const revision = (await leases.holder(id, limits))?.revision ?? 0n;
      await leases.put(endpointFrom(endpoint, id), lease, revision, limits);
    };
    return {
      registry,
      store: {
        put: (service, address) => put(service, { address }),
        update: put,
        remove: async (service, address) => void (await registry.remove(idOf(service, address))),
        disconnect: stop,
        reconnect: start,
      },
      until,
      async close() {
        await leases.revoke(lease, limits);
        await close();
      },
    };
  },
  { describe, it },
);
describePair('in memory', harness);

describe('MemoryRegistry', () => {
  it('gives every lease its full time again when it is started', async () => {
    const { clock, registry, leases, close } = await harness();
    const follower = new Follower(registry, 's');
    const lease = '1';
    await leases.grant(lease, 3, { timeoutMs: 1 });
    const id = '/etcdv3_resolver/s/localhost:1';
    await leases.put({ id, address: 'localhost:1', weight: 1, metadata: {} }, lease, 0n, { timeoutMs: 1 });
    await clock.advance(2_900);
    registry.stop();
    await clock.advance(60_000);
    expect(follower.stale).toBe(true);
    registry.start();
    await clock.advance(2_900);
    expect(follower.addresses).toEqual(['localhost:1']);
    await clock.advance(100);
    expect(follower.addresses).toEqual([]);
    expect(follower.kinds).toBe('snapshot changes stale snapshot changes');
    await follower.stop();
    await close();
  });

  it('announces unix sockets', async () => {
    const { clock, registry, close } = await harness();
    const follower = new Follower(registry, 's');
    registry.register('s', { address: 'unix:/run/a/b.sock' });
    await clock.advance(0);
    expect(follower.addresses).toEqual(['unix:/run/a/b.sock']);
    await follower.stop();
    await close();
  });

  it('tells of several keys that end together in one event', async () => {
    const { clock, registry, leases, close } = await harness();
    const follower = new Follower(registry, 's');
    const lease = '1';
    await leases.grant(lease, 3, { timeoutMs: 1 });
    for (const port of [1, 2, 3]) {
      const id = `/etcdv3_resolver/s/localhost:${port}`;
      await leases.put({ id, address: `localhost:${port}`, weight: 1, metadata: {} }, lease, 0n, {
        timeoutMs: 1,
      });
    }
    await clock.advance(3_000);
    expect(follower.events.at(-1)).toMatchObject({ kind: 'changes', put: [], removed: { length: 3 } });
    await follower.stop();
    await close();
  });

  it('tells a reader nothing of other services', async () => {
    const { clock, registry, close } = await harness();
    const follower = new Follower(registry, 's');
    const other = registry.register('other', { address: 'localhost:1' });
    await clock.advance(0);
    void other.close();
    await clock.advance(0);
    expect(follower.kinds).toBe('snapshot');
    await follower.stop();
    await close();
  });

  it('is stopped and started once, however often it is told', async () => {
    const { clock, registry, close } = await harness();
    const follower = new Follower(registry, 's');
    await clock.advance(0);
    expect(registry.running).toBe(true);
    registry.start();
    await clock.advance(0);
    registry.stop();
    await clock.advance(0);
    registry.stop();
    await clock.advance(0);
    expect(registry.running).toBe(false);
    registry.start();
    await clock.advance(0);
    registry.start();
    await clock.advance(0);
    expect(follower.kinds).toBe('snapshot stale snapshot');
    expect(follower.events[1]).toMatchObject({
      cause: { code: 'REGISTRY_UNAVAILABLE', message: 'the in-memory registry is stopped' },
    });
    await follower.stop();
    await close();
  });

  it('refuses to be used when it is closed, and ends its watches', async () => {
    const { clock, registry, close } = await harness();
    const follower = new Follower(registry, 's');
    await clock.advance(0);
    await close();
    await clock.advance(0);
    expect(follower.ended).toBe(true);
    const closed = expect.objectContaining({ code: 'CLOSED' });
    expect(() => registry.watch('s', new AbortController().signal)).toThrow(closed);
    expect(() => registry.register('s', { address: 'localhost:1' })).toThrow(closed);
  });
});
