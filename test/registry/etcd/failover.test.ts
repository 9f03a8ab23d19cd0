// One operation of a registrar, where some members are gone.
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FailoverClient } from '../../../src/registry/etcd/failover.js';
import { EtcdLeases } from '../../../src/registry/etcd/leases.js';
import { type EtcdConnection, EtcdError } from '../../../src/registry/etcd/port.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { newLease } from '../../../src/registry/leases.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

/** Nobody listens there. */
const REFUSED = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
const ENOUGH = { timeoutMs: 5_000 };

describe('EtcdLeases of several members', () => {
  let etcd: EtcdProcess;
  let lease: string;
  /** Takes connections, and says nothing. */
  let silent: Server;

  beforeAll(async () => {
    etcd = await startEtcd();
    silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    lease = newLease();
    await asking([etcd.url], (leases) => leases.grant(lease, 60, ENOUGH));
  });
  afterAll(async () => {
    silent.close();
    await etcd.close();
  });

  /** Members are asked in their order, from the first on. */
  async function asking<T>(hosts: readonly string[], use: (leases: EtcdLeases) => Promise<T>): Promise<T> {
    const client = new FailoverClient(etcdSettings({ hosts, random: () => 0 }));
    try {
      return await use(new EtcdLeases(client));
    } finally {
      client.close();
    }
  }

  it('asks the next one at once where a connection is refused, and goes on with the one that answered', () =>
    asking([...REFUSED, etcd.url], async (leases) => {
      expect(await leases.keepAlive(lease, ENOUGH)).toBe(true);
      expect(await leases.holder('/p/s/localhost:1', ENOUGH)).toBeUndefined();
      await leases.grant(newLease(), 60, ENOUGH);
    }));

  it('asks each of them once, and tells of the last', () =>
    asking(REFUSED, async (leases) => {
      await expect(leases.holder('/p/s/localhost:1', ENOUGH)).rejects.toMatchObject({
        code: 'REGISTRY_UNAVAILABLE',
        message: expect.stringContaining('127.0.0.1:2'),
      });
    }));

  it('does not do twice what may have been done', () =>
    asking([...REFUSED, etcd.url], async (leases) => {
      const endpoint = { id: '/p/s/localhost:1', address: 'localhost:1', weight: 1, metadata: {} };
      await expect(leases.put(endpoint, lease, 0n, ENOUGH)).rejects.toThrow('127.0.0.1:1');
    }));

  it('waits no longer than it may for all of them together', async () => {
    const { port } = silent.address() as { port: number };
    const url = `http://127.0.0.1:${port}`;
    await asking([url, url, etcd.url], async (leases) => {
      const startedAt = performance.now();
      await expect(leases.keepAlive(lease, { timeoutMs: 500 })).rejects.toThrow('DEADLINE_EXCEEDED');
      expect(performance.now() - startedAt).toBeLessThan(2 * 500);
    });
  });

  it('lets what is under way end by itself when the request of another is given up', async () => {
    const proxy = await TcpProxy.start(() => etcd.port);
    await asking([proxy.url], async (leases) => {
      expect(await leases.keepAlive(lease, ENOUGH)).toBe(true);
      proxy.blackHole();
      const slow = leases.keepAlive(lease, ENOUGH);
      // What was measured is far below this.
      await expect(leases.keepAlive(lease, { timeoutMs: 300 })).rejects.toThrow('DEADLINE_EXCEEDED');
      proxy.heal();
      expect(await slow).toBe(true);
      expect(await leases.keepAlive(lease, ENOUGH)).toBe(true);
    });
    await proxy.close();
  });

  it('does not go to another member for a call of several that is slow, where others are answered', async () => {
    const settings = etcdSettings({ hosts: [etcd.url, 'http://127.0.0.1:1'], random: () => 0 });
    const client = new FailoverClient(settings);
    const call = (run: (etcd: EtcdConnection) => Promise<unknown>, timeoutMs: number) =>
      client.call((connection) => run(connection), { timeoutMs });
    const late = new Error('too late');
    let answered: Promise<unknown> | undefined;
    const slow = call(async (connection) => {
      answered = connection.keepLeaseAlive(lease, ENOUGH);
      await answered;
      throw new EtcdError('timed-out', late.message);
    }, 1);
    await expect(slow).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE' });
    // Still the first one: the second refuses.
    expect(await call((connection) => connection.keepLeaseAlive(lease, ENOUGH), 5_000)).toBe(true);

    const silentCall = call(() => Promise.reject(new EtcdError('timed-out', late.message)), 1);
    await expect(silentCall).rejects.toThrow(late.message);
    await expect(call((connection) => connection.keepLeaseAlive(lease, ENOUGH), 5_000)).rejects.toThrow(
      '127.0.0.1:1',
    );
    client.close();
  });

  it('asks nobody more when it is cancelled', () =>
    asking([...REFUSED, etcd.url], async (leases) => {
      const signal = AbortSignal.abort();
      await expect(leases.keepAlive(lease, { ...ENOUGH, signal })).rejects.toThrow('127.0.0.1:1');
    }));
});
