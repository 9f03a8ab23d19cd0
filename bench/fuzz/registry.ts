// Values and keys of a registry that are wrong in every way, beside servers that are announced as they should be.

import { type PickerName, pickerNames } from '../../src/balancer/pickers/index.js';
import type { Pool } from '../../src/balancer/pool/pool.js';
import { grpcTransport } from '../../src/balancer/transport/grpc-js/transport.js';
import type { Transport } from '../../src/balancer/transport/transport.js';
import { systemClock } from '../../src/base/clock.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { EtcdRegistry } from '../../src/registry/etcd/registry.js';
import { DEFAULT_PREFIX, servicePrefix } from '../../src/registry/keys.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { Load } from '../chaos/load.js';
import { Stage } from '../soak/stage.js';
import { gc, heapByOwner } from '../support/heap.js';
import type { Part, Run } from '../support/program.js';
import { hostileKey, hostileValue } from './hostile-values.js';

const SERVERS = 3;
const SECONDS = 60;
const CALLS_PER_SECOND = 20;
/** So many hostile keys are there at a time. */
const MOST_KEYS = 100;
/** After so many writes a change of a good key must be seen by all pools. */
const LOOK_EVERY = 50;
/** What is lost is never seen; how soon a change is seen is for `chaos` to say. */
const SEEN_MS = 60_000;
/** After so many writes the connection is cut, so that what is there is read as a snapshot, too. */
const CUT_EVERY = 500;
/** Of what the program itself holds, once the connections of what is gone are gone, too. */
const HEAP_GROWTH = 1.25;
/** How long a write may take, in milliseconds. */
const POST_MS = 10_000;
/** The removal guard keeps connections for 10 s. */
const GUARDED_MS = 12_000;

const NAME = 'registry-values';

export const registryValues: Part = {
  name: NAME,
  targets: ['calls-failed', 'unhandled', 'addresses-odd', 'changes-unseen', 'heap-growth'].map(
    (target) => `${NAME}/${target}`,
  ),
  async run(run) {
    await using stage = new Stage(NAME, run);
    const fuzz = await RegistryFuzz.start(stage);
    await fuzz.run(run.seconds ?? SECONDS);
    fuzz.tell(run);
  },
};

/** Pools of every picker over one etcd, in which somebody writes what he likes. */
class RegistryFuzz {
  readonly #stage: Stage;
  readonly #url: string;
  readonly #proxy: TcpProxy;
  readonly #keysBegin: string;
  readonly #seed = Date.now() % 2 ** 31;
  readonly #random: Random = seededRandom(this.#seed);
  readonly #pools: Pool[] = [];
  readonly #loads: Load[] = [];
  readonly #keys: Buffer[] = [];
  #written = 0;
  #unseen = 0;
  #unhandled = 0;
  #slowestMs = 0;
  /** An address that was dialled and is none. */
  #odd: string[] = [];
  #heapBefore = 0;
  #heapAfter = 0;

  private constructor(stage: Stage, url: string, proxy: TcpProxy) {
    this.#stage = stage;
    this.#url = url;
    this.#proxy = proxy;
    this.#keysBegin = servicePrefix({ prefix: DEFAULT_PREFIX }, stage.service);
    const hear = (error: unknown) => {
      this.#unhandled += 1;
      stage.say(`nobody caught ${String(error)}`);
    };
    process.on('unhandledRejection', hear).on('uncaughtException', hear);
    stage.atEnd(() => process.off('unhandledRejection', hear).off('uncaughtException', hear));
  }

  static async start(stage: Stage): Promise<RegistryFuzz> {
    const etcd = await stage.etcd();
    const proxy = await TcpProxy.start(() => etcd.port);
    stage.atEnd(() => proxy.close());
    const fuzz = new RegistryFuzz(stage, etcd.url, proxy);
    stage.say(`seed ${fuzz.#seed}`);
    const servers = await stage.servers(SERVERS);
    for (const { address } of servers) await fuzz.#put(fuzz.#key(address), Buffer.from(address));
    const registry = new EtcdRegistry({ hosts: proxy.url });
    stage.atEnd(() => registry.close());
    const transport = fuzz.#transport(servers.map(({ address }) => address));
    for (const picker of pickerNames) await fuzz.#pool(registry, picker, transport);
    return fuzz;
  }

  async run(seconds: number): Promise<void> {
    // The heap is measured once everything has been there, and without calls: that takes a while in which nothing else goes on.
    await this.#write(seconds / 4);
    this.#heapBefore = await this.#heap();
    await this.#write((seconds * 3) / 4);
    this.#heapAfter = await this.#heap();
  }

  async #write(seconds: number): Promise<void> {
    const { signal } = this.#stage;
    const loads = this.#pools.map((pool) =>
      Load.of(pool, { perSecond: CALLS_PER_SECOND, timeoutMs: 10_000 }),
    );
    this.#loads.push(...loads);
    const stop = () => Promise.all(loads.map((load) => load.stop()));
    this.#stage.atEnd(stop);
    const endAt = performance.now() + seconds * 1_000;
    while (performance.now() < endAt && !signal.aborted) {
      const oldest = this.#keys.length < MOST_KEYS ? undefined : this.#keys.shift();
      if (oldest !== undefined) await this.#remove(oldest);
      const key = Buffer.concat([Buffer.from(this.#keysBegin), hostileKey(this.#random)]);
      this.#keys.push(key);
      await this.#put(key, hostileValue(this.#random));
      this.#written += 1;
      if (this.#written % CUT_EVERY === 0) this.#proxy.cut();
      if (this.#written % LOOK_EVERY === 0) await this.#look();
    }
    await stop();
    signal.throwIfAborted();
  }

  tell(run: Run): void {
    const calls = this.#loads.reduce((sum, { made }) => sum + made, 0);
    const failed = this.#loads.reduce((sum, load) => sum + load.failed, 0);
    const [failure] = this.#loads.flatMap(({ firstFailure }) => firstFailure ?? []);
    if (failure !== undefined) run.say(`the first call that failed: ${failure}`);
    if (this.#odd.length > 0) run.say(`dialled: ${JSON.stringify(this.#odd[0])}`);
    run.atMost(`${NAME}/calls-failed`, failed, 0, 'calls');
    run.atMost(`${NAME}/unhandled`, this.#unhandled, 0, 'errors');
    run.atMost(`${NAME}/addresses-odd`, this.#odd.length, 0, 'addresses');
    run.atMost(`${NAME}/changes-unseen`, this.#unseen, 0, 'changes');
    run.atMost(`${NAME}/heap-growth`, this.#heapAfter / this.#heapBefore, HEAP_GROWTH, 'times');
    const heap = { before: this.#heapBefore, after: this.#heapAfter };
    run.record(NAME, { seed: this.#seed, written: this.#written, calls, heap, slowestMs: this.#slowestMs });
  }

  async #pool(registry: EtcdRegistry, picker: PickerName, transport: Transport): Promise<void> {
    this.#pools.push(await this.#stage.pool(SERVERS, { registry, picker, transport }));
  }

  /** Whatever is announced is dialled at one of our servers, so that pickers see all of its weights and metadata. */
  #transport(servers: readonly string[]): Transport {
    const real = grpcTransport({ clock: systemClock });
    return (endpoint: Endpoint, listener) => {
      const { address } = endpoint;
      const isOdd = !/^(?:[\p{L}\p{N}\p{M}._-]{1,253}|\[[\da-f:.]{2,45}\]):\d{1,5}$/iu.test(address);
      if (isOdd || /^(?:unix|dns|ipv4|xds|\[::\]|0+\.|\[::ffff:0)/.test(address)) this.#odd.push(address);
      return real({ ...endpoint, address: servers[address.length % servers.length]! }, listener);
    };
  }

  /** A change of a good key: whatever else is written, it is seen in time. */
  async #look(): Promise<void> {
    const address = `127.0.0.1:${1 + (this.#written % 65_535)}`;
    const key = this.#key(`${address}#look`);
    const isThere = (pool: Pool) =>
      pool.snapshot().subchannels.some(({ endpoint, ids }) => endpoint.address === address && ids.length > 0);
    await this.#put(key, Buffer.from(address));
    const writtenAt = performance.now();
    if (await this.#comesTrue(() => this.#pools.every(isThere))) {
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - writtenAt);
    } else {
      this.#unseen += 1;
      const states = this.#pools.map(
        (pool) => `${pool.snapshot().registry.kind}${isThere(pool) ? '' : ', unseen'}`,
      );
      this.#stage.say(
        `${address} is not seen by all, ${this.#written} keys were written: ${states.join('; ')}`,
      );
    }
    await this.#remove(key);
  }

  async #comesTrue(check: () => boolean): Promise<boolean> {
    const until = performance.now() + SEEN_MS;
    while (!check()) {
      if (performance.now() > until) return false;
      await this.#stage.wait(10);
    }
    return true;
  }

  /** With none of the hostile keys in it. */
  async #heap(): Promise<number> {
    for (const key of this.#keys.splice(0)) await this.#remove(key);
    await this.#look();
    await this.#stage.wait(GUARDED_MS);
    await this.#comesTrue(() => this.#pools.every((pool) => pool.snapshot().subchannels.length === SERVERS));
    await gc();
    return (await heapByOwner()).program;
  }

  #key(address: string): Buffer {
    return Buffer.from(this.#keysBegin + address);
  }

  #put(key: Buffer, value: Buffer): Promise<void> {
    return this.#post('put', { key: key.toString('base64'), value: value.toString('base64') });
  }

  #remove(key: Buffer): Promise<void> {
    return this.#post('deleterange', { key: key.toString('base64') });
  }

  async #post(operation: string, body: unknown): Promise<void> {
    const answer = await fetch(`${this.#url}/v3/kv/${operation}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(POST_MS),
    });
    await answer.text();
  }
}
