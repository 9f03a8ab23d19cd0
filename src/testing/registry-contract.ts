import assert from 'node:assert/strict';
import { sleep, systemClock } from '../base/clock.js';
import { type Endpoint, type EndpointInit, isWeight } from '../base/endpoint.js';
import type { Registry } from '../registry/registry.js';
import { applyTo, Follower } from './follower.js';
import { globalRunner, type TestRunner } from './test-runner.js';

/** The store that a registry under test reads, as those who write to it have it. */
export interface RegistryStore {
  /** Announces an endpoint of this address. Resolves when the store has it; the registry may hear of it later. */
  put(service: string, address: string): void | Promise<void>;
  /** Withdraws the endpoint of this address. */
  remove(service: string, address: string): void | Promise<void>;
  /** Puts an endpoint that is there again, with these attributes. Left out where the store has no attributes. */
  update?(service: string, endpoint: EndpointInit): void | Promise<void>;
  /** Takes the store away from the registry: stops its server, say. With `reconnect`, or left out. */
  disconnect?(): void | Promise<void>;
  /** Gives it back, with all that was in it. */
  reconnect?(): void | Promise<void>;
}

/** A registry under test, made anew for every test. */
export interface RegistryHarness {
  readonly registry: Registry;
  /** Left out for a registry whose endpoints are known beforehand: the tests of changes then pass without a look. */
  readonly store?: RegistryStore;
  /**
   * Lets time pass until `check` holds; rejects, naming `what`, when it does not within a good while. Default: looks
   * every 5 ms, for 20 s. For a registry on a `VirtualClock`: one that moves it.
   */
  readonly until?: (what: string, check: () => boolean) => Promise<void>;
  /** Undoes what was made. */
  close?(): void | Promise<void>;
}

/** What a test has: the harness with its gaps filled, and readers that it need not stop. */
interface Stage {
  readonly registry: Registry;
  readonly store: RegistryStore | undefined;
  readonly until: (what: string, check: () => boolean) => Promise<void>;
  /** A reader, from its first event on. */
  follow(service: string): Promise<Follower>;
}

/**
 * The contract of `Registry`, as a suite of tests: every registry of evenkeel passes it, and yours should.
 *
 * @param make - makes the registry for a test. Its store holds nothing yet under the names that the suite uses.
 * @param runner - your test runner's functions, such as `{ describe, it }` of `node:test` or `vitest`. Default: the
 *   global `describe` and `it`.
 * @throws Error when there is no runner.
 */
export function describeRegistry(
  name: string,
  make: () => RegistryHarness | Promise<RegistryHarness>,
  runner: TestRunner = globalRunner(),
): void {
  const { describe } = runner;
  const it = (what: string, body: (stage: Stage) => Promise<void>) =>
    runner.it(what, () => onStage(make, body));
  /** A test of changes. */
  const itTells = (what: string, body: (stage: Stage & { readonly store: RegistryStore }) => Promise<void>) =>
    it(what, async (stage) => {
      const { store } = stage;
      if (store !== undefined) await body({ ...stage, store });
    });

  describe(`${name} keeps the contract of a registry`, () => {
    it('tells a snapshot first, also of a service that has nothing', async ({ follow }) => {
      const follower = await follow('contract-empty');
      assert.equal(follower.kinds, 'snapshot');
    });

    it('tells endpoints with an id of their own, an address, a weight and metadata', async (stage) => {
      const { store, follow, until } = stage;
      await store?.put('contract-fields', 'localhost:1');
      const follower = await follow('contract-fields');
      await until('the endpoint', () => store === undefined || follower.has('localhost:1'));
      for (const event of follower.events) {
        if (event.kind === 'snapshot') mustBeWellFormed(event.endpoints);
        if (event.kind === 'changes') mustBeWellFormed(event.put);
      }
    });

    it('ends the iteration when the signal aborts, and not before', async ({ follow, until }) => {
      const follower = await follow('contract-end');
      assert.equal(follower.ended, false);
      follower.abort();
      await until('the end of the iteration', () => follower.ended);
    });

    it('ends at once, without an event, for a signal that is aborted already', async (stage) => {
      const events: string[] = [];
      let ended = false;
      const reading = (async () => {
        for await (const { kind } of stage.registry.watch('contract-aborted', AbortSignal.abort())) {
          events.push(kind);
        }
        ended = true;
      })();
      await Promise.all([reading, stage.until('the end of the iteration', () => ended)]);
      assert.deepEqual(events, []);
    });

    it('lets a reader leave in the middle', async ({ registry, follow, until }) => {
      const service = 'contract-leave';
      let left = false;
      const reading = (async () => {
        for await (const _ of registry.watch(service, new AbortController().signal)) break;
        left = true;
      })();
      await Promise.all([reading, until('the reader has left', () => left)]);
      await follow(service);
    });

    it('serves several readers, each from its own snapshot on', async ({ follow, until }) => {
      const [first, second] = [await follow('contract-shared'), await follow('contract-shared')];
      assert.equal(first.ended, false);
      first.abort();
      await until('the end of one', () => first.ended);
      assert.equal(second.ended, false);
      assert.equal(second.kinds, 'snapshot');
      assert.deepEqual([...second.table], [...first.table]);
    });

    itTells('tells what is there in one snapshot', async ({ store, follow, until }) => {
      const service = 'contract-snapshot';
      const early = await follow(service);
      for (const port of [1, 2, 3]) await store.put(service, `localhost:${port}`);
      await until('all three', () => early.table.size === 3);
      const late = await follow(service);
      assert.deepEqual(late.addresses, ['localhost:1', 'localhost:2', 'localhost:3']);
      assert.equal(late.events[0]?.kind, 'snapshot');
      assert.deepEqual(sorted(late), sorted(early));
    });

    itTells('tells of what comes and goes, and of nothing else', async ({ store, follow, until }) => {
      const service = 'contract-changes';
      const follower = await follow(service);
      await store.put(service, 'localhost:1');
      await until('the first', () => follower.has('localhost:1'));
      await store.put(service, '[::1]:2');
      await until('the second', () => follower.has('[::1]:2'));
      await store.remove(service, 'localhost:1');
      await until('the first one gone', () => !follower.has('localhost:1'));
      assert.deepEqual(follower.addresses, ['[::1]:2']);
      await store.put(service, 'localhost:1');
      await until('the first one back', () => follower.has('localhost:1'));
      assert.equal(follower.count('stale'), 0);
    });

    itTells('misses no change, however fast they come', async ({ store, follow, until }) => {
      const service = 'contract-many';
      const follower = await follow(service);
      for (let port = 1; port <= 40; port++) {
        await store.put(service, `localhost:${port}`);
        if (port % 2 === 0) await store.remove(service, `localhost:${port}`);
      }
      const left = Array.from({ length: 20 }, (_, i) => `localhost:${2 * i + 1}`).sort();
      await until('what is left', () => follower.addresses.join() === left.join());
    });

    itTells('tells changes of one endpoint in their order', async ({ store, follow, until }) => {
      const service = 'contract-order';
      if (store.update === undefined) return;
      await store.put(service, 'localhost:1');
      const follower = await follow(service);
      await until('the endpoint', () => follower.has('localhost:1'));
      for (let weight = 2; weight <= 20; weight++) {
        await store.update(service, { address: 'localhost:1', weight, metadata: { zone: `z${weight}` } });
      }
      await until('the last', () => [...follower.table.values()][0]?.weight === 20);
      const told = follower.events.flatMap((event) =>
        event.kind === 'changes' ? event.put : event.kind === 'snapshot' ? event.endpoints : [],
      );
      const weights = told.map(({ weight }) => weight);
      assert.deepEqual(
        weights,
        weights.toSorted((a, b) => a - b),
        'an older state came after a newer one',
      );
      assert.equal(follower.table.size, 1, 'an endpoint with other attributes has another id');
      assert.deepEqual([...follower.table.values()][0]?.metadata, { zone: 'z20' });
    });

    itTells('catches up with a reader that lags', async ({ registry, store, follow, until }) => {
      const service = 'contract-lag';
      const witness = await follow(service);
      const stop = new AbortController();
      const slow = registry.watch(service, stop.signal)[Symbol.asyncIterator]();
      const table = new Map<string, Endpoint>();
      applyTo(table, (await slow.next()).value);
      for (let port = 1; port <= 30; port++) await store.put(service, `localhost:${port}`);
      for (let port = 1; port <= 29; port++) await store.remove(service, `localhost:${port}`);
      await until('what is left', () => witness.addresses.join() === 'localhost:30');
      let reads = 0;
      let pending = false;
      const read = async () => {
        pending = true;
        const { value, done } = await slow.next();
        if (done !== true) applyTo(table, value);
        reads++;
        pending = false;
      };
      const caughtUp = () => [...table.values()].map(({ address }) => address).join() === 'localhost:30';
      await until('the slow reader has it too', () => {
        if (!pending && !caughtUp()) void read();
        return caughtUp();
      });
      assert.ok(reads <= 60, `${reads} events for 59 changes`);
      stop.abort();
    });

    itTells('keeps services apart', async ({ store, follow, until }) => {
      const [one, other] = [await follow('contract-one'), await follow('contract-one-more')];
      await store.put('contract-one-more', 'localhost:2');
      await store.put('contract-one', 'localhost:1');
      await until('each its own', () => one.has('localhost:1') && other.has('localhost:2'));
      assert.deepEqual([one.addresses, other.addresses], [['localhost:1'], ['localhost:2']]);
    });

    itTells('says stale once while its store is away, and keeps what it told', async (stage) => {
      const { store, follow, until } = stage;
      if (store.disconnect === undefined || store.reconnect === undefined) return;
      const service = 'contract-stale';
      const follower = await follow(service);
      await store.put(service, 'localhost:1');
      await until('the endpoint', () => follower.has('localhost:1'));
      await store.disconnect();
      await until('stale', () => follower.stale);
      const blind = await follow(service);
      assert.equal(blind.kinds, 'stale', 'a reader that comes meanwhile hears nothing but that');
      assert.deepEqual(follower.addresses, ['localhost:1']);
      await store.reconnect();
      await until('current again', () => !follower.stale && !blind.stale);
      assert.equal(follower.count('stale'), 1);
      assert.match(follower.kinds, /stale snapshot/);
      assert.match(blind.kinds, /^stale snapshot/);
      await store.put(service, 'localhost:2');
      await until('it goes on', () => follower.table.size === 2 && blind.table.size === 2);
      assert.deepEqual(follower.addresses, ['localhost:1', 'localhost:2']);
    });
  });
}

/** Runs one test, and stops its readers whatever comes of it. */
async function onStage(
  make: () => RegistryHarness | Promise<RegistryHarness>,
  body: (stage: Stage) => Promise<void>,
): Promise<void> {
  const harness = await make();
  const { registry, store, until: pass = lookEvery5Ms } = harness;
  const followers: Follower[] = [];
  const until: Stage['until'] = (what, check) =>
    pass(what, () => {
      for (const { failure } of followers) if (failure !== undefined) throw failure.thrown;
      return check();
    });
  const follow = async (service: string) => {
    const follower = new Follower(registry, service);
    followers.push(follower);
    await until('a first event', () => follower.events.length > 0);
    return follower;
  };
  try {
    await body({ registry, store, until, follow });
  } finally {
    for (const follower of followers) follower.abort();
    await harness.close?.();
  }
}

async function lookEvery5Ms(what: string, check: () => boolean): Promise<void> {
  const end = systemClock.now() + 20_000;
  while (!check()) {
    if (systemClock.now() > end) throw new Error(`waited in vain for: ${what}`);
    await sleep(systemClock, 5);
  }
}

function mustBeWellFormed(endpoints: readonly Endpoint[]): void {
  for (const { id, address, weight, metadata } of endpoints) {
    assert.ok(typeof id === 'string' && id !== '', `the id of ${address} is ${JSON.stringify(id)}`);
    assert.equal(typeof address, 'string');
    assert.ok(isWeight(weight), `the weight of ${address} is ${String(weight)}`);
    assert.ok(
      typeof metadata === 'object' && Object.values(metadata).every((value) => typeof value === 'string'),
      `the metadata of ${address} are not texts by name`,
    );
  }
  assert.equal(new Set(endpoints.map(({ id }) => id)).size, endpoints.length, 'an id is there twice');
}

function sorted({ table }: Follower): Endpoint[] {
  return [...table.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
