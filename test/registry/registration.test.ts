// The life of a registration against a registry that fails in every operation, on a virtual clock.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import { seededRandom } from '../../src/base/random.js';
import type { LeaseStore, OperationLimits } from '../../src/registry/leases.js';
import { MemoryLeases } from '../../src/registry/memory-leases.js';
import { LeasedRegistration } from '../../src/registry/registration.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';

type Operation = 'grant' | 'keepAlive' | 'holder' | 'put' | 'revoke';
/** How an operation ends: as it should, without having happened, after having happened, or never by itself. */
type Fate = 'done' | 'refused' | 'lost' | 'hangs';

/** Real leases behind a network that decides the fate of each operation. */
class Network implements LeaseStore {
  readonly log: Operation[] = [];
  fate: (operation: Operation) => Fate = () => 'done';
  #inner: MemoryLeases;
  readonly #clock: VirtualClock;

  constructor(inner: MemoryLeases, clock: VirtualClock) {
    this.#inner = inner;
    this.#clock = clock;
  }

  /** From now on the registry is another one. */
  replace(inner: MemoryLeases): void {
    this.#inner = inner;
  }

  grant = (lease: string, ttl: number, limits: OperationLimits): Promise<void> =>
    this.#pass('grant', limits, () => this.#inner.grant(lease, ttl));
  keepAlive = (lease: string, limits: OperationLimits) =>
    this.#pass('keepAlive', limits, () => this.#inner.keepAlive(lease));
  holder = (key: string, limits: OperationLimits) =>
    this.#pass('holder', limits, () => this.#inner.holder(key));
  put = (endpoint: Endpoint, lease: string, ifRevision: bigint, limits: OperationLimits) =>
    this.#pass('put', limits, () => this.#inner.put(endpoint, lease, ifRevision));
  revoke = (lease: string, limits: OperationLimits) =>
    this.#pass('revoke', limits, () => this.#inner.revoke(lease));

  async #pass<T>(operation: Operation, { timeoutMs, signal }: OperationLimits, run: () => Promise<T>) {
    if (signal?.aborted) throw new Error('cancelled');
    this.log.push(operation);
    const fate = this.fate(operation);
    if (fate === 'refused') throw new Error(`${operation} refused`);
    if (fate === 'hangs') {
      await sleep(this.#clock, timeoutMs, signal);
      throw new Error(`${operation} timed out`);
    }
    const result = await run();
    if (fate === 'lost') throw new Error(`the answer to ${operation} was lost`);
    return result;
  }
}

const endpoint: Endpoint = { id: '/p/s/localhost:1', address: 'localhost:1', weight: 1, metadata: {} };
const TTL_S = 6;

function world(seed = 1) {
  const clock = new VirtualClock();
  const table = new Map<string, Endpoint>();
  const changes: string[] = [];
  const leases = new MemoryLeases(clock, (put, removed) => {
    for (const each of put) table.set(each.id, each);
    for (const id of removed) table.delete(id);
    changes.push(...put.map(() => 'put'), ...removed.map(() => 'removed'));
  });
  const network = new Network(leases, clock);
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const register = () =>
    new LeasedRegistration(endpoint, TTL_S, { leases: network, clock, random: seededRandom(seed), logger });
  const close = async (registration: LeasedRegistration) => {
    const startedAt = clock.now();
    let tookMs: number | undefined;
    const closing = registration.close().then(() => {
      tookMs = clock.now() - startedAt;
    });
    await clock.advance(3_000);
    await closing;
    return tookMs as number;
  };
  return { clock, table, changes, leases, network, lines, register, close };
}

describe('LeasedRegistration', () => {
  it('is registered by a grant, a look and a put, and gone by a revoke', async () => {
    const { clock, table, network, register, close } = world();
    const registration = register();
    expect(registration.state).toEqual({ kind: 'registering' });
    await clock.advance(0);
    expect(registration.state).toEqual({ kind: 'registered' });
    expect(network.log).toEqual(['grant', 'holder', 'put']);
    expect([...table.values()]).toEqual([endpoint]);
    expect(await close(registration)).toBe(0);
    expect(network.log.slice(3)).toEqual(['revoke']);
    expect(table.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('beats every third of the time to live, give or take a tenth', async () => {
    const { clock, network, register, close } = world();
    const registration = register();
    await clock.advance(0);
    const beats: number[] = [];
    let last = clock.now();
    network.fate = (operation) => {
      if (operation === 'keepAlive') {
        beats.push(clock.now() - last);
        last = clock.now();
      }
      return 'done';
    };
    await clock.advance(200_000);
    expect(Math.min(...beats)).toBeGreaterThanOrEqual(1_800);
    expect(Math.max(...beats)).toBeLessThanOrEqual(2_200);
    expect(Math.max(...beats) - Math.min(...beats)).toBeGreaterThan(300);
    await close(registration);
  });

  it('stays registered through failed beats while its lease may live, then says lost, once', async () => {
    const { clock, network, lines, register, close } = world();
    await clock.advance(1_000_000);
    const registration = register();
    await clock.advance(0);
    network.fate = () => 'refused';
    await clock.advance(5_900);
    expect(registration.state.kind).toBe('registered');
    await clock.advance(1_200);
    expect(registration.state).toMatchObject({ kind: 'lost', cause: { code: 'REGISTRY_UNAVAILABLE' } });
    await clock.advance(600_000);
    expect(lines).toHaveLength(2);
    network.fate = () => 'done';
    await clock.advance(1_000);
    expect(registration.state.kind).toBe('registered');
    expect(lines).toHaveLength(3);
    await close(registration);
  });

  it('says once why it is not registered yet', async () => {
    const { clock, network, lines, register, close } = world();
    network.fate = () => 'hangs';
    const registration = register();
    const states: string[] = [];
    const listening = (async () => {
      for await (const state of registration.states()) states.push(state.kind);
    })();
    await clock.advance(60_000);
    expect(registration.state).toMatchObject({
      kind: 'registering',
      cause: { code: 'REGISTRY_UNAVAILABLE', message: 'grant timed out' },
    });
    expect(lines).toHaveLength(1);
    await close(registration);
    await listening;
    expect(states).toEqual(['registering', 'registering', 'closed']);
  });

  it('keeps a lease that outlived an outage, and puts nothing anew', async () => {
    const { clock, changes, leases, register, close } = world();
    const registration = register();
    await clock.advance(0);
    leases.stop();
    await clock.advance(60_000);
    expect(registration.state.kind).toBe('lost');
    leases.start();
    await clock.advance(1_000);
    expect(registration.state.kind).toBe('registered');
    expect(changes).toEqual(['put']);
    await close(registration);
  });

  it('gets a new lease when the old one cannot be kept, and moves the key without a gap', async () => {
    const { clock, changes, network, table, register, close } = world();
    const registration = register();
    await clock.advance(0);
    network.fate = (operation) => (operation === 'keepAlive' ? 'refused' : 'done');
    await clock.advance(60_000);
    expect(network.log.filter((operation) => operation === 'grant').length).toBeGreaterThan(2);
    expect(changes.filter((change) => change === 'removed').length).toBeLessThanOrEqual(
      changes.filter((change) => change === 'put').length - 1,
    );
    expect(table.size).toBe(1);
    network.fate = () => 'done';
    await close(registration);
    expect(table.size).toBe(0);
  });

  it('does not steal from one who came while the answer to its own put was lost', async () => {
    const { clock, leases, network, table, register, close } = world();
    network.fate = (operation) => (operation === 'put' ? 'lost' : 'done');
    const registration = register();
    await clock.advance(0);
    expect(table.size).toBe(1);
    const other = '1';
    await leases.grant(other, 60);
    const mine = await leases.holder(endpoint.id);
    await leases.put({ ...endpoint, weight: 9 }, other, mine?.revision as bigint);
    network.fate = () => 'done';
    await clock.advance(20_000);
    expect(registration.state).toMatchObject({ kind: 'registering', cause: { code: 'KEY_TAKEN' } });
    expect(table.get(endpoint.id)?.weight).toBe(9);
    await leases.revoke(other);
    await clock.advance(2_200);
    expect(registration.state.kind).toBe('registered');
    await close(registration);
  });

  it('does not take a low revision of a new store for a leftover', async () => {
    const { clock, leases, network, register, close } = world();
    const old = '1';
    await leases.grant(old, 60);
    for (let revision = 0n; revision < 5n; revision++) await leases.put(endpoint, old, revision);
    const registration = register();
    await clock.advance(0);
    expect(registration.state.kind).toBe('registered');
    const fresh = new MemoryLeases(clock, () => {});
    network.replace(fresh);
    const other = '2';
    await fresh.grant(other, 60);
    await fresh.put(endpoint, other, 0n);
    await clock.advance(2_200);
    expect(registration.state).toMatchObject({ kind: 'lost', cause: { code: 'KEY_TAKEN' } });
    expect(await fresh.holder(endpoint.id)).toMatchObject({ lease: other });
    await close(registration);
  });

  it.each<Fate>(['refused', 'hangs', 'lost'])(
    'closes within 3 s when every operation is %s',
    async (fate) => {
      const { clock, network, register, close } = world();
      const registration = register();
      await clock.advance(0);
      network.fate = () => fate;
      await clock.advance(10_000);
      expect(await close(registration)).toBeLessThanOrEqual(3_000);
      expect(registration.state.kind).toBe('closed');
      await clock.advance(3_000);
      expect(clock.pending).toBe(0);
    },
  );

  it('asks again for the lease whose grant was not answered, and leaves none behind', async () => {
    const { clock, leases, network, table, register, close } = world();
    const asked = new Set<string>();
    const grant = network.grant;
    network.grant = (lease, ttl, limits) => {
      asked.add(lease);
      return grant(lease, ttl, limits);
    };
    network.fate = (operation) => (operation === 'grant' ? 'lost' : 'done');
    const registration = register();
    await clock.advance(10_000);
    expect([asked.size, network.log.length > 5, table.size]).toEqual([1, true, 0]);
    network.fate = () => 'done';
    await clock.advance(2_000);
    expect(registration.state.kind).toBe('registered');
    // Granted long ago by then: it is kept alive before anything hangs on it.
    expect(network.log.slice(-4)).toEqual(['grant', 'keepAlive', 'holder', 'put']);
    network.fate = (operation) => (operation === 'grant' ? 'lost' : 'done');
    for (const lease of asked) await leases.revoke(lease);
    await clock.advance(3_000);
    expect(asked.size).toBe(2);
    await close(registration);
    for (const lease of asked) expect(await leases.keepAlive(lease)).toBe(false);
  });

  it('takes another lease when the one that was granted late has ended meanwhile', async () => {
    const { clock, leases, network, register, close } = world();
    let granted = 0;
    const grant = network.grant;
    network.grant = async (lease, ttl, limits) => {
      granted += 1;
      await grant(lease, ttl, limits);
      if (granted === 1) throw new Error('the answer was lost');
      if (granted === 2) await leases.revoke(lease);
    };
    const registration = register();
    await clock.advance(2_000);
    expect([registration.state.kind, granted]).toEqual(['registered', 3]);
    await close(registration);
  });

  it('takes another lease, and says why, when its own ended before the key was put', async () => {
    const { clock, leases, network, register, close } = world();
    let granted = '';
    const grant = network.grant;
    network.grant = async (lease, ttl, limits) => {
      granted = lease;
      await grant(lease, ttl, limits);
    };
    network.fate = (operation) => {
      if (operation === 'put' && network.log.filter((each) => each === 'put').length === 1) {
        void leases.revoke(granted);
      }
      return 'done';
    };
    const registration = register();
    await clock.advance(0);
    expect(registration.state).toMatchObject({
      kind: 'registering',
      cause: { code: 'LEASE_LOST', message: `the lease of ${endpoint.id} ended before its key was put` },
    });
    await clock.advance(1_000);
    expect(registration.state).toEqual({ kind: 'registered' });
    expect(network.log.filter((each) => each === 'grant')).toHaveLength(2);
    await close(registration);
  });

  it('looks again when its key changed while it was being put', async () => {
    const { clock, leases, network, register, close } = world();
    await leases.grant('other', 60);
    network.fate = (operation) => {
      if (operation === 'put' && network.log.filter((each) => each === 'put').length === 1) {
        void leases.put({ ...endpoint, weight: 9 }, 'other', 0n);
      }
      return 'done';
    };
    const registration = register();
    await clock.advance(0);
    expect(registration.state).toMatchObject({
      kind: 'registering',
      cause: { message: `the key ${endpoint.id} changed while it was being put` },
    });
    // By then it is another's.
    await clock.advance(1_000);
    expect(registration.state).toMatchObject({ kind: 'registering', cause: { code: 'KEY_TAKEN' } });
    await leases.revoke('other');
    await clock.advance(3_000);
    expect(registration.state).toEqual({ kind: 'registered' });
    await close(registration);
  });

  it('says that its key was removed, and puts it again', async () => {
    const { clock, leases, network, register, close } = world();
    const registration = register();
    await clock.advance(0);
    const told: unknown[] = [];
    const listening = (async () => {
      for await (const state of registration.states()) told.push(state);
    })();
    await leases.remove(endpoint.id);
    await clock.advance(2_300);
    await close(registration);
    await listening;
    expect(told).toMatchObject([
      { kind: 'registered' },
      {
        kind: 'lost',
        cause: { code: 'LEASE_LOST', message: `the key ${endpoint.id} was removed by someone else` },
      },
      { kind: 'registered' },
      { kind: 'closed' },
    ]);
    expect(network.log.filter((each) => each === 'grant')).toHaveLength(1);
  });

  it('gives each revocation a second, again and again, until the time to close is over', async () => {
    const { clock, network, register, close } = world();
    const registration = register();
    await clock.advance(0);
    const asked: OperationLimits[] = [];
    const revoke = network.revoke;
    network.revoke = (lease, limits) => {
      asked.push(limits);
      return revoke(lease, limits);
    };
    network.fate = () => 'hangs';
    expect(await close(registration)).toBe(2_500);
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.map(({ timeoutMs }) => timeoutMs)).toEqual(asked.map(() => 1_000));
    expect(asked.every(({ signal }) => signal?.aborted)).toBe(true);
  });

  it.each(['revoke', 'grant'] as const)('closes in time though a %s never comes to an end', async (stuck) => {
    const { clock, network, lines, register, close } = world();
    const never = () => new Promise<never>(() => {});
    if (stuck === 'grant') network.grant = never;
    const registration = register();
    await clock.advance(0);
    if (stuck === 'revoke') network.revoke = never;
    expect(await close(registration)).toBe(2_500);
    expect(registration.state).toEqual({ kind: 'closed' });
    expect(lines.at(-1)).toBe(
      `${endpoint.id} could not be taken out of the registry; its lease ends by itself`,
    );
  });

  it('leaves no key behind when it is closed in the middle of anything', async () => {
    for (let at = 0; at < 60; at++) {
      const { clock, leases, table, register, close } = world(at);
      const registration = register();
      for (let turn = 0; turn < at; turn++) await Promise.resolve();
      await close(registration);
      expect([at, table.size]).toEqual([at, 0]);
      expect(clock.pending).toBe(0);
      expect([...leases.endpoints()]).toEqual([]);
    }
  });

  it('is announced soon after any faults are over, and never when another holds its key', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(
          fc.record({
            fates: fc.array(fc.constantFrom<Fate>('done', 'done', 'refused', 'lost', 'hangs'), {
              minLength: 1,
            }),
            event: fc.constantFrom('none', 'key deleted', 'lease revoked', 'stopped', 'wiped'),
            ms: fc.integer({ min: 1, max: 20_000 }),
          }),
          { maxLength: 8 },
        ),
        async (seed, phases) => {
          const { clock, table, leases, network, register, close } = world(seed);
          const registration = register();
          for (const { fates, event, ms } of phases) {
            let nth = 0;
            network.fate = () => fates[nth++ % fates.length] as Fate;
            if (event === 'key deleted') await leases.remove(endpoint.id).catch(() => {});
            if (event === 'lease revoked') {
              const holder = await leases.holder(endpoint.id);
              if (holder !== undefined) await leases.revoke(holder.lease);
            }
            if (event === 'stopped') leases.stop();
            await clock.advance(ms);
            leases.start();
          }
          network.fate = () => 'done';
          // A beat, a back-off, and what was hanging.
          await clock.advance((TTL_S * 1_000) / 3 + 2_000 + 1_000);
          expect(registration.state.kind).toBe('registered');
          expect([...table.values()]).toEqual([endpoint]);
          await close(registration);
          expect(table.size).toBe(0);
          await clock.advance(60_000);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 150 },
    ));
});
