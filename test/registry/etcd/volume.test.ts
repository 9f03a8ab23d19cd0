// Large prefixes and bursts on a real etcd: nothing missed, nothing twice, whatever cuts the connection.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { connect } from '../../../src/registry/etcd/connect.js';
import type { WatchEvent } from '../../../src/registry/etcd/port.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { runSession } from '../../../src/registry/etcd/session.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { PageSize } from '../../../src/registry/etcd/snapshot.js';
import { Follower } from '../../../src/testing/follower.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { fat, Store } from './store.js';
import { until } from './until.js';

describe('EtcdRegistry on a large and busy etcd', () => {
  let etcd: EtcdProcess;
  let store: Store;
  let proxy: TcpProxy;
  let registry: EtcdRegistry;
  let follower: Follower;
  let service: string;
  let tests = 0;

  beforeAll(async () => {
    etcd = await startEtcd();
    store = new Store(etcd.url);
  });
  afterAll(async () => {
    store.close();
    await etcd.close();
  });
  beforeEach(async () => {
    service = `s${++tests}`;
    proxy = await TcpProxy.start(() => etcd.port);
    registry = new EtcdRegistry({ hosts: proxy.url });
    follower = new Follower(registry, service);
  });
  afterEach(async () => {
    await follower.stop();
    await registry.close();
    await proxy.close();
  });

  const follows = (count: number) => until(`${count} endpoints`, () => follower.table.size === count);

  it('reads a snapshot of several pages and more than 4 MiB, in one event', async () => {
    await store.putMany(service, 5_000, (address) => fat(address, 1_200));
    const late = new Follower(registry, service);
    await until('a snapshot', () => late.events.length > 0);
    expect(late.kinds).toBe('snapshot');
    expect(late.table.size).toBe(5_000);
    await store.expectEqual(late, service);
    await late.stop();
    await follows(5_000);
  });

  it('follows a burst of 5,000 changes', async () => {
    await until('a snapshot', () => follower.events.length > 0);
    await store.putMany(service, 5_000, (address) => address);
    await store.putMany(service, 5_000, (address) => fat(address, 10));
    await until('the last word on each', () =>
      [...follower.table.values()].every(({ metadata }) => metadata.filler !== undefined),
    );
    await follows(5_000);
    expect(follower.kinds).not.toContain('stale');
  });

  it('follows 12 MiB of changes at once', async () => {
    await until('a snapshot', () => follower.events.length > 0);
    // What was held back comes as few, large messages.
    proxy.blackHole();
    await store.putMany(service, 1_500, (address) => fat(address, 8_192));
    proxy.heal();
    await follows(1_500);
    expect(follower.kinds).not.toContain('stale');
    await store.expectEqual(follower, service);
  });

  it('misses nothing when the pages of a snapshot are cut off again and again', async () => {
    await store.putMany(service, 5_000, (address) => fat(address, 200));
    await follows(5_000);
    for (let cut = 1; cut <= 5; cut++) {
      // A snapshot is about 1.7 MB long.
      proxy.cutAfter(cut * 300_000);
      proxy.cut();
      await store.put(service, `cut:${cut}`);
      await store.remove(service, `localhost:${cut}`);
      await until('stale', () => follower.stale);
      await until('current', () => !follower.stale);
    }
    await until('the last cut', () => follower.has('cut:5') && !follower.has('localhost:5'));
    await store.expectEqual(follower, service);
  });

  it('misses nothing when the connection is cut in the middle of bursts', async () => {
    await until('a snapshot', () => follower.events.length > 0);
    for (let round = 1; round <= 6; round++) {
      proxy.cutAfter(round * 40_000);
      const burst = store.putMany(service, 2_000 + round, (address) => fat(address, round));
      await delay(20 * round);
      proxy.cut();
      await burst;
    }
    await until(
      'the last round',
      () =>
        follower.table.size === 2_006 &&
        [...follower.table.values()].every(({ metadata }) => metadata.filler === 'x'.repeat(6)),
    );
    await store.expectEqual(follower, service);
  });

  it('hands on every change of a live session, none twice, while etcd is asked for signs of life', async () => {
    const settings = etcdSettings({ hosts: etcd.url });
    const connection = connect(settings);
    const stop = new AbortController();
    // Asks a hundred times as often, and waits for an answer as long as a machine may take that is busy with this.
    const clock = {
      ...systemClock,
      after: (ms: number, run: () => void) => systemClock.after(ms / 100, run),
    };
    const { patience } = settings;
    patience.answerMs = () => 6_000_000;
    let on = false;
    const heard: string[] = [];
    const session = runSession({
      connection,
      patience,
      pageSize: new PageSize(),
      keysBegin: `/etcdv3_resolver/${service}/`,
      requestTimeoutMs: 1_000,
      clock,
      signal: stop.signal,
      onSnapshot: () => {
        on = true;
      },
      onChanges: (batch: readonly WatchEvent[]) => heard.push(...batch.map(({ value }) => String(value))),
    });
    let cause: Error | undefined;
    session.catch((error: Error) => {
      cause = error;
    });
    await until('a live session', () => on);
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let i = 0; i < 200; i++) await store.put(service, `w:${writer + 1}`, `${writer} ${i}`);
    });
    await Promise.all(writers);
    await until('all changes', () => heard.length >= 3_200 || cause !== undefined);
    expect(cause).toBeUndefined();
    expect(heard).toHaveLength(3_200);
    for (let writer = 0; writer < 16; writer++) {
      const own = heard.filter((value) => value.startsWith(`${writer} `));
      expect(own).toEqual(Array.from({ length: 200 }, (_, i) => `${writer} ${i}`));
    }
    stop.abort();
    await expect(session).rejects.toThrow(/cancelled/);
    connection.close();
  });
});
