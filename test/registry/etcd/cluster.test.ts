// Three members: any one may go, and one without a leader is not believed.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { Follower } from '../../../src/testing/follower.js';
import { type EtcdProcess, startCluster } from '../../support/etcd.js';
import { Store } from './store.js';
import { until } from './until.js';

describe.concurrent('EtcdRegistry and EtcdRegistrar on three members', () => {
  it('go on through a rolling restart, and the loss of any member', async () => {
    const members = await startCluster(3);
    const hosts = members.map(({ url }) => url);
    const registry = new EtcdRegistry({ hosts });
    const registrar = new EtcdRegistrar({ hosts });
    const followers = [0, 1, 2].map(() => new Follower(registry, 's'));
    // A TTL as in production: an election, and an attempt or two at a dead member, can take 3 s.
    const registration = registrar.register('s', { address: 'localhost:1' }, { ttlSeconds: 10 });
    const states: string[] = [];
    void (async () => {
      for await (const { kind } of registration.states()) states.push(kind);
    })();
    await registration.registered();
    for (const [round, member] of members.entries()) {
      await member.stop('SIGKILL');
      const store = new Store(hosts.filter((url) => url !== member.url));
      await put(store, `localhost:${10 + round}`);
      await until('all see it', () =>
        followers.every((follower) => !follower.stale && follower.has(`localhost:${10 + round}`)),
      );
      for (const follower of followers) await store.expectEqual(follower, 's');
      store.close();
      await member.start();
    }
    // Each lost its member once at least, and none lost any but a member that was killed.
    expect(followers.every((follower) => [1, 2, 3].includes(follower.count('stale')))).toBe(true);
    await registrar.close();
    expect(states).toEqual(['registering', 'registered', 'closed']);
    await until('gone', () => followers.every((follower) => !follower.has('localhost:1')));
    await Promise.all(followers.map((follower) => follower.stop()));
    await registry.close();
    await Promise.all(members.map((member) => member.close()));
  }, 60_000);

  it('say stale of a member that is cut off from the others', async () => {
    const [alone, ...others] = (await startCluster(3)) as [EtcdProcess, EtcdProcess, EtcdProcess];
    const registry = new EtcdRegistry({ hosts: alone.url });
    const follower = new Follower(registry, 's');
    await until('a snapshot', () => follower.events.length > 0);
    for (const other of others) other.pause();
    await until('stale', () => follower.stale, 6_000);
    await delay(500);
    expect(follower.kinds).toBe('snapshot stale');
    for (const other of others) other.resume();
    await until('current', () => !follower.stale, 10_000);
    await follower.stop();
    await registry.close();
    await Promise.all([alone, ...others].map((member) => member.close()));
  });
});

/** Through whatever election is on. */
async function put(store: Store, address: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await store.put('s', address);
    } catch (error) {
      if (attempt > 100) throw error;
      await delay(50);
    }
  }
}
