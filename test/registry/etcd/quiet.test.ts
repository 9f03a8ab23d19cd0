// A store in which nothing is written: leases kept alive write nothing, so that is every etcd whose fleet is stable.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { Follower } from '../../../src/testing/follower.js';
import { etcdBinaries } from '../../support/ensure-etcd.js';
import { startEtcd } from '../../support/etcd.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { Store } from './store.js';
import { until } from './until.js';

/** Many times the 2 s after which etcd is asked for a sign of life, and the 2 s that it has for it. */
const QUIET_MS = 15_000;

describe.concurrent.each(await etcdBinaries())('a quiet store of %s', (binary) => {
  it.each(['directly', 'through etcd grpc-proxy'])('stays current, reached %s', async (way) => {
    await using etcd = await startEtcd({ binary });
    await using proxy = way === 'directly' ? undefined : await GrpcProxy.start(binary, etcd.url);
    const hosts = proxy?.url ?? etcd.url;
    const lines: string[] = [];
    const say = (line: string) => lines.push(line);
    const registry = new EtcdRegistry({ hosts, logger: { info: say, warn: say } });
    const registrar = new EtcdRegistrar({ hosts });
    const registration = registrar.register('s', { address: 'localhost:1' });
    await registration.registered();
    const empty = new Follower(registry, 'nothing-there');
    const follower = new Follower(registry, 's');
    await until('two snapshots', () => empty.events.length > 0 && follower.events.length > 0);

    await delay(QUIET_MS);
    expect([lines, empty.kinds, follower.kinds]).toEqual([[], 'snapshot', 'snapshot']);
    expect(registration.state.kind).toBe('registered');

    // And it still hears what changes.
    await registrar.close();
    await until('the removal', () => follower.table.size === 0);
    expect([lines, follower.kinds]).toEqual([[], 'snapshot changes']);
    await Promise.all([empty.stop(), follower.stop()]);
    await registry.close();
  });

  it('is told from one that has gone behind etcd grpc-proxy, which stays', async () => {
    await using etcd = await startEtcd({ binary });
    await using proxy = await GrpcProxy.start(binary, etcd.url);
    const store = new Store(etcd.url);
    await store.put('s', 'localhost:1');
    const registry = new EtcdRegistry({ hosts: proxy.url });
    const follower = new Follower(registry, 's');
    await until('a snapshot', () => follower.has('localhost:1'));
    // By then it is known that reads are what proves that it lives.
    await delay(6_000);
    expect(follower.kinds).toBe('snapshot');
    for (const [round, leave] of (['stop', 'pause'] as const).entries()) {
      await etcd[leave]();
      await until('stale', () => follower.stale);
      if (leave === 'stop') await etcd.start();
      else etcd.resume();
      await until('current', () => !follower.stale);
      await store.put('s', `localhost:${2 + round}`);
      await until('a change', () => follower.has(`localhost:${2 + round}`));
    }
    await follower.stop();
    await registry.close();
    store.close();
  });
});
