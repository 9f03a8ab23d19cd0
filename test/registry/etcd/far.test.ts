// An etcd that is far away: another continent, a slow tunnel, a loaded disk.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { Follower } from '../../../src/testing/follower.js';
import { startEtcd } from '../../support/etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Store } from './store.js';
import { until } from './until.js';

/** A machine may be slow, too: how long is waited, and how long a test may take. */
const PATIENT_MS = 60_000;
const TEST = { timeout: 3 * PATIENT_MS };

describe.concurrent.each([500, 1_000])('an etcd %d ms a round trip away', TEST, (roundTripMs) => {
  it('is followed, without being called dead', async () => {
    await using etcd = await startEtcd();
    await using proxy = await TcpProxy.start(() => etcd.port);
    proxy.latencyMs = roundTripMs / 2;
    const store = new Store(etcd.url);
    const lines: string[] = [];
    const say = (line: string) => lines.push(line);
    const registry = new EtcdRegistry({ hosts: proxy.url, logger: { info: say, warn: say } });
    const follower = new Follower(registry, 's');
    await until('a snapshot', () => follower.count('snapshot') > 0, PATIENT_MS);
    expect(follower.kinds).toMatch(/^(stale )?snapshot$/);
    const said = lines.length;

    await delay(6_000);
    await store.put('s', 'localhost:1');
    await until('a change', () => follower.has('localhost:1'), PATIENT_MS);
    expect(lines).toHaveLength(said);
    expect(follower.kinds).toMatch(/^(stale )?snapshot changes$/);
    await follower.stop();
    await registry.close();
    store.close();
  });

  it('takes a registration for five round trips at least, and leaves no lease behind', async () => {
    const ttlSeconds = 5;
    await using etcd = await startEtcd();
    await using proxy = await TcpProxy.start(() => etcd.port);
    proxy.latencyMs = roundTripMs / 2;
    const store = new Store(etcd.url);
    const registrar = new EtcdRegistrar({ hosts: proxy.url });
    const registration = registrar.register('s', { address: 'localhost:1' }, { ttlSeconds });
    const states: string[] = [];
    void (async () => {
      for await (const { kind } of registration.states()) states.push(kind);
    })();
    await until('registered', () => registration.state.kind === 'registered', PATIENT_MS);
    await delay(7_000);
    expect(await store.keys('s')).toHaveLength(1);
    await registrar.close();
    expect(states.filter((kind) => kind !== 'registering')).toEqual(['registered', 'closed']);
    expect(await store.keys('s')).toEqual([]);
    expect((await store.etcd.leaseClient.leaseLeases()).leases).toEqual([]);
    store.close();
  });
});
