// Registrations on real etcds that fail: back in time, never stealing, leaving nothing.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import type { Registration } from '../../../src/registry/registry.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Store } from './store.js';
import { until } from './until.js';

/** Compiled: what runs in a process of its own is not run by vitest. */
const PROGRAM = join(process.cwd(), 'dist/test/registry/etcd/close-child.js');
const TTL_S = 2;
/** How long a registration may take to be back after it could be: a third of its time to live, and 2 s. */
const BACK_MS = (TTL_S * 1_000) / 3 + 2_000;

describe('a process that stands still', () => {
  it('is back when it goes on after twice its time to live, and its watch never knew', async () => {
    await using etcd = await startEtcd();
    const store = new Store(etcd.url);
    const child = fork(PROGRAM, [etcd.url, String(TTL_S)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    try {
      const said: string[] = [];
      child.on('message', (message) => said.push(String(message)));
      await until('registered', () => said.includes('registered') && said.includes('changes'));
      child.kill('SIGSTOP');
      await delay(2 * TTL_S * 1_000);
      expect(await store.keys('s')).toEqual([]);
      said.length = 0;
      child.kill('SIGCONT');
      await until('registered again', () => said.includes('registered'), BACK_MS);
      expect(await store.keys('s')).toContain(Store.key('s', 'localhost:1'));
      expect(said).not.toContain('stale');
    } finally {
      child.kill('SIGKILL');
      store.close();
    }
  });
});

describe.concurrent('EtcdRegistrar on an etcd that fails', () => {
  for (const [name, fault] of Object.entries(faults())) {
    it(name, async () => {
      const world = await World.start();
      try {
        await fault(world);
        await world.closesClean();
      } finally {
        await world.close();
      }
    });
  }
});

class World {
  readonly service = 's';
  readonly lines: string[] = [];
  readonly registrar: EtcdRegistrar;
  readonly registration: Registration;

  private constructor(
    readonly etcd: EtcdProcess,
    readonly proxy: TcpProxy,
    readonly store: Store,
  ) {
    const say = (line: string) => this.lines.push(line);
    this.registrar = new EtcdRegistrar({ hosts: proxy.url, logger: { info: say, warn: say } });
    this.registration = this.registrar.register('s', { address: 'localhost:1' }, { ttlSeconds: TTL_S });
  }

  /** An etcd with one registration in it, behind a proxy. */
  static async start(): Promise<World> {
    const etcd = await startEtcd();
    const proxy = await TcpProxy.start(() => etcd.port);
    const world = new World(etcd, proxy, new Store(etcd.url));
    await world.registration.registered();
    return world;
  }

  /** Resolves when etcd holds this many keys of the service. */
  async announced(count: number, boundMs: number): Promise<void> {
    const end = performance.now() + boundMs;
    for (;;) {
      const { length } = await this.store.keys(this.service);
      if (length === count) return;
      if (performance.now() > end) {
        throw new Error(`${length} keys, and not ${count}: ${this.lines.join(' / ')}`);
      }
      await delay(10);
    }
  }

  async back(): Promise<void> {
    await this.announced(1, BACK_MS);
    await until('registered', () => this.registration.state.kind === 'registered', BACK_MS);
  }

  lost(): Promise<void> {
    return until('lost', () => this.registration.state.kind === 'lost');
  }

  async closesClean(): Promise<void> {
    await this.registrar.close();
    expect(await this.store.keys(this.service)).toEqual([]);
  }

  async close(): Promise<void> {
    await this.registrar.close();
    this.store.close();
    await this.proxy.close();
    await this.etcd.close();
  }
}

function faults(): Record<string, (world: World) => Promise<void>> {
  return {
    async 'its key deleted by an operator'(world) {
      await world.store.remove(world.service, 'localhost:1');
      await world.back();
      expect(world.lines[1]).toMatch(/removed by someone else/);
      expect(world.lines).toHaveLength(3);
    },

    async 'its lease revoked'(world) {
      const { store, registration } = world;
      const { kvs } = await store.etcd.get(registration.id).exec();
      await store.etcd.leaseClient.leaseRevoke({ ID: kvs[0]?.lease as string });
      expect(await store.keys(world.service)).toEqual([]);
      await world.back();
      expect(world.lines[1]).toMatch(/expired or was revoked/);
      expect(world.lines).toHaveLength(3);
    },

    async 'out of reach for twice its time to live'(world) {
      world.proxy.blackHole();
      await world.announced(0, 2_500 * TTL_S);
      await delay(TTL_S * 1_000);
      const { state } = world.registration;
      expect(state).toMatchObject({ kind: 'lost', cause: { code: 'REGISTRY_UNAVAILABLE' } });
      world.proxy.heal();
      await world.back();
      expect(world.lines).toHaveLength(3);
    },

    async 'out of reach while its key was taken: back when that is free'(world) {
      const { proxy, etcd, store, registration, service } = world;
      proxy.blackHole();
      await world.announced(0, 2_500 * TTL_S);
      const other = new EtcdRegistrar({ hosts: etcd.url });
      const init = { address: 'localhost:1', weight: 2 };
      await other.register(service, init, { ttlSeconds: TTL_S }).registered();
      proxy.heal();
      await until('taken', () => JSON.stringify(registration.state).includes('KEY_TAKEN'));
      await delay(TTL_S * 1_000);
      expect(await store.etcd.get(registration.id).string()).toContain('"weight":2');
      await other.close();
      await world.back();
      expect(await store.etcd.get(registration.id).string()).toBe('localhost:1');
    },

    async 'cut off again and again: registered all along'(world) {
      const { registrar, service } = world;
      // Long enough to live through any stall of the machine, short enough to beat in the midst of it.
      const registration = registrar.register(service, { address: 'localhost:2' }, { ttlSeconds: 15 });
      await registration.registered();
      for (let cut = 0; cut < 40; cut++) {
        world.proxy.cut();
        await delay(150);
      }
      expect(registration.state.kind).toBe('registered');
      expect(await world.store.keys(service)).toContain(registration.id);
      expect(world.lines.filter((line) => line.includes(registration.id))).toHaveLength(1);
    },

    async 'etcd killed, with its data and without'(world) {
      const { etcd } = world;
      await etcd.restart();
      await world.back();
      await etcd.wipe();
      await etcd.start();
      await world.back();
      await etcd.stop();
      await world.lost();
      await etcd.start();
      await world.back();
    },

    async 'etcd standing still for longer than the lease lives'(world) {
      world.etcd.pause();
      await world.lost();
      await delay(TTL_S * 1_000);
      world.etcd.resume();
      await world.back();
    },

    async 'a hundred registrations of one registrar, through a cut'(world) {
      const { registrar, service, store } = world;
      const more = Array.from({ length: 100 }, (_, i) =>
        registrar.register(service, { address: `localhost:${i + 2}` }, { ttlSeconds: 15 }),
      );
      await Promise.all(more.map((each) => each.registered()));
      world.proxy.cut();
      // A beat of each.
      await delay(6_000);
      const keys = new Set(await store.keys(service));
      expect(more.filter(({ id, state }) => !keys.has(id) || state.kind !== 'registered')).toEqual([]);
    },
  };
}
