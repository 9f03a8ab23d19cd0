// The registry on real etcds that fail: it says stale in time, and converges to exactly what etcd holds.
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { Follower } from '../../../src/testing/follower.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Store } from './store.js';
import { until } from './until.js';

/** What a watch may take, in milliseconds: to say stale when its connection ends, when etcd is silent; to converge. */
const STALE_MS = 500;
const SILENT_MS = 6_000;
const CONVERGED_MS = 3_500;

describe.concurrent('EtcdRegistry on an etcd that fails', () => {
  for (const [name, fault] of Object.entries(faults())) {
    it(name, async () => {
      const world = await World.start();
      try {
        await fault(world);
        world.expectQuiet();
      } finally {
        await world.close();
      }
    });
  }
});

class World {
  readonly service = 's';
  readonly lines: string[] = [];
  readonly follower: Follower;
  readonly registry: EtcdRegistry;

  private constructor(
    readonly etcd: EtcdProcess,
    readonly proxy: TcpProxy,
    readonly store: Store,
  ) {
    const say = (line: string) => this.lines.push(line);
    this.registry = new EtcdRegistry({ hosts: proxy.url, logger: { info: say, warn: say } });
    this.follower = new Follower(this.registry, this.service);
  }

  /** An etcd with three endpoints, and a reader that knows them, behind a proxy. */
  static async start(): Promise<World> {
    const etcd = await startEtcd();
    const proxy = await TcpProxy.start(() => etcd.port);
    const world = new World(etcd, proxy, new Store(etcd.url));
    await world.store.putMany(world.service, 3, (address) => address);
    await world.converged();
    return world;
  }

  put(address: string): Promise<void> {
    return this.store.put(this.service, address);
  }

  remove(address: string): Promise<void> {
    return this.store.remove(this.service, address);
  }

  /** Resolves when the reader is current, and has what etcd holds. */
  async converged(boundMs = 20_000): Promise<void> {
    const end = performance.now() + boundMs;
    for (;;) {
      const keys = await this.store.keys(this.service);
      if (!this.follower.stale && [...this.follower.table.keys()].sort().join() === keys.join()) return;
      if (performance.now() > end) {
        throw new Error(
          `not converged: ${this.follower.kinds.slice(-80)}; ${this.lines.slice(-3).join(' / ')}`,
        );
      }
      await delay(10);
    }
  }

  stale(boundMs: number): Promise<void> {
    return until('stale', () => this.follower.stale, boundMs);
  }

  /** A line for each change of state, and no more. */
  expectQuiet(): void {
    const stale = this.lines.filter((line) => line.includes('is stale'));
    const current = this.lines.filter((line) => line.includes('is current again'));
    expect(stale.length).toBe(this.follower.count('stale'));
    expect(this.lines).toHaveLength(stale.length + current.length);
  }

  async close(): Promise<void> {
    await this.follower.stop();
    await this.registry.close();
    this.store.close();
    await this.proxy.close();
    await this.etcd.close();
  }
}

function faults(): Record<string, (world: World) => Promise<void>> {
  return {
    async 'killed, and started again with its data'(world) {
      const { etcd, follower } = world;
      await etcd.stop('SIGKILL');
      await world.stale(STALE_MS);
      expect(follower.addresses).toEqual(['localhost:1', 'localhost:2', 'localhost:3']);
      expect(follower.events.at(-1)).toMatchObject({
        kind: 'stale',
        cause: { code: 'REGISTRY_UNAVAILABLE' },
      });
      await delay(1_500);
      await etcd.start();
      await world.remove('localhost:1');
      await world.put('localhost:4');
      await world.converged(CONVERGED_MS);
      expect(follower.count('stale')).toBe(1);
      expect(follower.addresses).toEqual(['localhost:2', 'localhost:3', 'localhost:4']);
    },

    async 'told to stop, and started again'(world) {
      await world.etcd.stop('SIGTERM');
      await world.stale(STALE_MS);
      await world.etcd.start();
      await world.converged(CONVERGED_MS);
    },

    async 'stopped and continued'(world) {
      const { etcd, follower } = world;
      etcd.pause();
      await world.stale(SILENT_MS);
      await delay(2_000);
      etcd.resume();
      await world.put('localhost:4');
      await world.converged(CONVERGED_MS);
      expect(follower.count('stale')).toBe(1);
    },

    async 'behind a network that swallows everything, and heals'(world) {
      const { proxy, follower } = world;
      proxy.blackHole();
      await world.stale(SILENT_MS);
      await world.remove('localhost:1');
      await world.put('localhost:4');
      await delay(2_000);
      expect(follower.addresses).toEqual(['localhost:1', 'localhost:2', 'localhost:3']);
      proxy.heal();
      await world.converged(CONVERGED_MS);
      expect(follower.count('stale')).toBe(1);
    },

    async 'compacted while it was out of reach'(world) {
      const { proxy, store } = world;
      proxy.blackHole();
      await world.stale(SILENT_MS);
      await world.remove('localhost:1');
      const { header } = await store.etcd.put(Store.key(world.service, 'localhost:5')).value('localhost:5');
      await store.etcd.kv.compact({ revision: header.revision, physical: true });
      proxy.heal();
      await world.converged(CONVERGED_MS);
      expect(world.follower.addresses).toEqual(['localhost:2', 'localhost:3', 'localhost:5']);
    },

    async 'wiped, and filled again past the revision that it had'(world) {
      const { etcd, store, follower } = world;
      await etcd.wipe();
      await world.stale(STALE_MS);
      await etcd.start();
      for (let i = 0; i < 10; i++) await store.etcd.put('elsewhere').value(i);
      await world.put('localhost:7');
      await world.converged(CONVERGED_MS);
      expect(follower.addresses).toEqual(['localhost:7']);
      await world.put('localhost:8');
      await world.converged(CONVERGED_MS);
    },

    async 'wiped, and left empty'(world) {
      const { etcd, follower } = world;
      await etcd.wipe();
      await etcd.start();
      await world.converged(CONVERGED_MS);
      expect(follower.table.size).toBe(0);
      expect(follower.kinds).toMatch(/^snapshot( changes)* stale snapshot$/);
      await world.put('localhost:1');
      await world.converged(1_000);
    },

    async 'emptied by an operator'(world) {
      await world.store.etcd.delete().prefix('/etcdv3_resolver/');
      await world.converged(1_000);
      expect(world.follower.kinds).not.toContain('stale');
      expect(world.follower.table.size).toBe(0);
    },

    async 'away three times in a row'(world) {
      for (let round = 1; round <= 3; round++) {
        await world.etcd.stop();
        await until('stale', () => world.follower.count('stale') === round, STALE_MS);
        await world.etcd.start();
        await world.converged(CONVERGED_MS);
      }
      expect(world.follower.kinds).toMatch(/( stale snapshot){3}$/);
    },

    async 'cutting every connection as soon as it lives: no storm of sessions'(world) {
      const { proxy, follower } = world;
      let sessions = 0;
      const before = follower.count('snapshot');
      const end = performance.now() + 4_000;
      while (performance.now() < end) {
        if (follower.count('snapshot') === before + sessions) {
          sessions += 1;
          proxy.cut();
        }
        await delay(5);
      }
      // Waits of up to 0.1, 0.2, 0.4, 0.8 and then 1.5 s, half of that on average.
      expect(sessions).toBeGreaterThan(3);
      expect(sessions).toBeLessThan(20);
      await world.converged(CONVERGED_MS);
    },
  };
}

describe('EtcdRegistry that never had its etcd', () => {
  it('says stale at once where connections are refused', async () => {
    const registry = new EtcdRegistry({ hosts: 'http://127.0.0.1:1' });
    const follower = new Follower(registry, 's');
    await until('stale', () => follower.stale, STALE_MS);
    expect(follower.kinds).toBe('stale');
    expect(follower.events[0]).toMatchObject({
      cause: { code: 'REGISTRY_UNAVAILABLE', message: expect.stringContaining('http://127.0.0.1:1') },
    });
    await follower.stop();
    await registry.close();
  });

  it('says stale within its time for a request where nothing answers', async () => {
    await using silent = await SilentServer.start();
    const registry = new EtcdRegistry({ hosts: `127.0.0.1:${silent.port}`, requestTimeoutMs: 300 });
    const startedAt = performance.now();
    const follower = new Follower(registry, 's');
    await until('stale', () => follower.stale, 300 + STALE_MS);
    expect(performance.now() - startedAt).toBeGreaterThan(295);
    // Attempt after attempt, no more than the one connection that is being tried.
    await delay(3_000);
    expect(silent.connections).toBeLessThanOrEqual(1);
    expect(silent.accepted).toBeGreaterThan(2);
    await follower.stop();
    await registry.close();
  });
});

/** Accepts connections, says nothing, and closes none. */
class SilentServer {
  accepted = 0;
  readonly #open = new Set<Socket>();
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => {
    this.accepted += 1;
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    socket.on('error', () => {});
    // A connection that its client has closed by half takes this; one that is gone answers with a reset, which the
    // next write finds.
    socket.on('end', () => {
      socket.write('?');
      void delay(50).then(() => socket.write('?'));
    });
    socket.resume();
  });

  static async start(): Promise<SilentServer> {
    const silent = new SilentServer();
    await new Promise<void>((resolve) => silent.#server.listen(0, '127.0.0.1', resolve));
    return silent;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get connections(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
