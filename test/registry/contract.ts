// What a registrar must keep, as src/registry/registry.ts says it, seen through a registry of the same store.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BalancerError } from '../../src/base/errors.js';
import { type LeaseStore, newLease } from '../../src/registry/leases.js';
import type { Registrar, Registration, Registry } from '../../src/registry/registry.js';
import { Follower } from '../../src/testing/follower.js';

/** Lets time pass until the check holds; fails, naming `what`, when it does not within a good while. */
export type Until = (what: string, check: () => boolean) => Promise<void>;

export interface PairHarness {
  readonly registry: Registry;
  readonly until: Until;
  close(): Promise<void>;
  /** Two registrars to the same registry: two processes. */
  readonly registrars: readonly [Registrar, Registrar];
  /** The registry as the leases that it holds. */
  readonly leases: LeaseStore;
  pass(ms: number): Promise<void>;
  /** The registry cannot be reached between the two. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** What holds for a registry that servers announce themselves in. */
export function describePair(name: string, make: () => Promise<PairHarness>): void {
  describe(`${name}: registry and registrar`, () => {
    let harness: PairHarness;
    let tests = 0;
    let service: string;
    let follower: Follower;
    const registrations: Registration[] = [];
    const ttlSeconds = 2;

    beforeAll(async () => {
      harness = await make();
    });
    afterAll(() => harness.close());

    /** Each test has a service of its own, and a reader of it. */
    const follow = async (): Promise<void> => {
      tests += 1;
      service = `service-${tests}`;
      follower = new Follower(harness.registry, service);
      await harness.until('the first snapshot', () => follower.events.length > 0);
    };
    const register = (address: string, by = 0, more = {}): Registration => {
      const registrar = harness.registrars[by] as Registrar;
      const registration = registrar.register(service, { address, ...more }, { ttlSeconds });
      registrations.push(registration);
      return registration;
    };
    const registered = (registration: Registration) =>
      harness.until(`${registration.id} registered`, () => registration.state.kind === 'registered');
    const codeOf = ({ state }: Registration) =>
      'cause' in state && state.cause instanceof BalancerError ? state.cause.code : undefined;

    afterEach(async () => {
      const closed = Promise.all(registrations.map((registration) => registration.close()));
      let done = false;
      void closed.then(() => {
        done = true;
      });
      await harness.until('registrations closed', () => done);
      registrations.length = 0;
      await follower?.stop();
    });

    it('announces an endpoint with all its attributes, and takes it out at close', async () => {
      await follow();
      const metadata = { zone: 'eu-1', empty: '', 'quoted "key"': 'ünïcode \u2028' };
      const registration = register('localhost:50001', 0, { weight: 2.5, metadata });
      expect(registration.state.kind).toBe('registering');
      await harness.until('it is found', () => follower.has('localhost:50001'));
      expect(follower.table.get(registration.id)).toEqual({
        id: registration.id,
        address: 'localhost:50001',
        weight: 2.5,
        metadata,
      });
      await registered(registration);
      const closing = registration.close();
      await harness.until('it is gone', () => follower.table.size === 0);
      await closing;
      expect(registration.state).toEqual({ kind: 'closed' });
    });

    it('announces plain, IPv6 and weightless endpoints alike', async () => {
      await follow();
      register('localhost:1');
      register('[::1]:2');
      register('10.0.0.1:3', 0, { weight: 0 });
      await harness.until('all three', () => follower.table.size === 3);
      expect(follower.addresses).toEqual(['10.0.0.1:3', '[::1]:2', 'localhost:1']);
      const weights = [...follower.table.values()].map(({ address, weight }) => [address, weight]);
      expect(Object.fromEntries(weights)).toEqual({ 'localhost:1': 1, '[::1]:2': 1, '10.0.0.1:3': 0 });
    });

    it('gives a new reader what is there in one snapshot', async () => {
      await follow();
      for (let port = 1; port <= 20; port++) register(`localhost:${port}`, port % 2);
      await harness.until('all twenty', () => follower.table.size === 20);
      const late = new Follower(harness.registry, service);
      await harness.until('a snapshot', () => late.events.length > 0);
      expect(late.kinds).toBe('snapshot');
      expect(late.addresses).toEqual(follower.addresses);
      await late.stop();
    });

    it('keeps services apart, also where one name begins like another', async () => {
      await follow();
      const outer = service;
      service = `${outer}/inner`;
      register('localhost:1');
      service = `${outer}more`;
      register('localhost:2');
      service = outer;
      register('localhost:3');
      await harness.until('its own', () => follower.has('localhost:3'));
      expect(follower.addresses).toEqual(['localhost:3']);
      const inner = new Follower(harness.registry, `${outer}/inner`);
      await harness.until('the inner one', () => inner.has('localhost:1'));
      expect(inner.addresses).toEqual(['localhost:1']);
      await inner.stop();
    });

    it('refuses at once what cannot be announced, and names it', async () => {
      await follow();
      const [registrar] = harness.registrars;
      const codes = (act: () => unknown): string => {
        try {
          act();
        } catch (error) {
          return `${(error as BalancerError).code}: ${(error as Error).message}`;
        }
        return 'none';
      };
      expect(codes(() => registrar.register(service, { address: 'localhost' }))).toMatch(
        /^INVALID_ADDRESS: .*"localhost"/,
      );
      expect(codes(() => registrar.register(service, { address: 'localhost:0' }))).toMatch(
        /^INVALID_ADDRESS/,
      );
      expect(codes(() => registrar.register(service, { address: 'a:1', weight: -1 }))).toMatch(
        /^INVALID_OPTION: .*-1/,
      );
      for (const metadata of [{ weight: '2' }, { zone: 1 as unknown as string }]) {
        expect(codes(() => registrar.register(service, { address: 'a:1', metadata }))).toMatch(
          /^INVALID_OPTION: metadata .*a:1/,
        );
      }
      expect(codes(() => registrar.register(service, { address: 'a:1' }, { ttlSeconds: 1 }))).toMatch(
        /^INVALID_OPTION: ttlSeconds 1 /,
      );
      expect(codes(() => registrar.register(service, { address: 'a:1' }, { ttlSeconds: 2.5 }))).toMatch(
        /^INVALID_OPTION/,
      );
      expect(codes(() => registrar.register('', { address: 'a:1' }))).toMatch(/^INVALID_OPTION: service ""/);
      expect(codes(() => harness.registry.watch('/a', new AbortController().signal))).toMatch(
        /^INVALID_OPTION: service "\/a"/,
      );
    });

    it('tells every state from the present one on', async () => {
      await follow();
      const registration = register('localhost:1');
      const heard: string[] = [];
      const listening = (async () => {
        for await (const { kind } of registration.states()) heard.push(kind);
      })();
      await registered(registration);
      await registration.registered();
      const closing = registration.close();
      let done = false;
      void Promise.all([closing, listening]).then(() => {
        done = true;
      });
      await harness.until('closed', () => done);
      expect(heard).toEqual(['registering', 'registered', 'closed']);
      const late: string[] = [];
      for await (const { kind } of registration.states()) late.push(kind);
      expect(late).toEqual(['closed']);
      await expect(registration.registered()).rejects.toMatchObject({ code: 'CLOSED' });
      expect(registration.close()).toBe(closing);
    });

    it('removes an endpoint whose server is gone when its lease has ended', async () => {
      await follow();
      const { leases } = harness;
      const id = `/etcdv3_resolver/${service}/localhost:9`;
      const limits = { timeoutMs: 2_000 };
      const lease = newLease();
      await leases.grant(lease, ttlSeconds, limits);
      const endpoint = { id, address: 'localhost:9', weight: 1, metadata: {} };
      expect(await leases.put(endpoint, lease, 0n, limits)).toBe('put');
      await harness.until('it is found', () => follower.has('localhost:9'));
      await harness.until('it is gone', () => !follower.has('localhost:9'));
      expect(await leases.keepAlive(lease, limits)).toBe(false);
      expect(await leases.put(endpoint, lease, 0n, limits)).toBe('lease-gone');
    });

    it('grants a lease that is there already once more without touching it', async () => {
      await follow();
      const { leases } = harness;
      const id = `/etcdv3_resolver/${service}/localhost:9`;
      const limits = { timeoutMs: 2_000 };
      const lease = newLease();
      await leases.grant(lease, 60, limits);
      await leases.put({ id, address: 'localhost:9', weight: 1, metadata: {} }, lease, 0n, limits);
      await leases.grant(lease, 60, limits);
      await harness.until('it is found', () => follower.has('localhost:9'));
      await leases.revoke(lease, limits);
      await harness.until('it is gone', () => !follower.has('localhost:9'));
    });

    it('keeps an endpoint for far longer than its lease lives', async () => {
      await follow();
      const registration = register('localhost:1');
      await registered(registration);
      await harness.pass(ttlSeconds * 1_500);
      expect(registration.state.kind).toBe('registered');
      expect(follower.addresses).toEqual(['localhost:1']);
      expect(follower.count('changes')).toBe(1);
    });

    it('takes its key over from its own former life', async () => {
      await follow();
      const { leases } = harness;
      const id = `/etcdv3_resolver/${service}/localhost:1`;
      const limits = { timeoutMs: 2_000 };
      const old = newLease();
      await leases.grant(old, 60, limits);
      await leases.put({ id, address: 'localhost:1', weight: 7, metadata: {} }, old, 0n, limits);
      const registration = register('localhost:1');
      await registered(registration);
      await harness.until('the new one is told', () => follower.table.get(id)?.weight === 1);
      await leases.revoke(old, limits);
      await harness.pass(ttlSeconds * 1_000);
      expect(follower.addresses).toEqual(['localhost:1']);
    });

    it('never takes a key from a live process that put it later, and is back when that is gone', async () => {
      await follow();
      const first = register('localhost:1', 0);
      await registered(first);
      const second = register('localhost:1', 1, { weight: 2 });
      await registered(second);
      await harness.until('the first knows', () => codeOf(first) === 'KEY_TAKEN');
      expect(first.state.kind).toBe('lost');
      await harness.pass(ttlSeconds * 1_500);
      expect(first.state.kind).toBe('lost');
      expect(second.state.kind).toBe('registered');
      expect(follower.table.get(first.id)?.weight).toBe(2);
      void second.close();
      await harness.until('the first is back', () => first.state.kind === 'registered');
      await harness.until('as it was', () => follower.table.get(first.id)?.weight === 1);
    });

    it('leaves the key of another alone when it closes', async () => {
      await follow();
      const first = register('localhost:1', 0);
      await registered(first);
      const second = register('localhost:1', 1);
      await registered(second);
      void first.close();
      await harness.until('closed', () => first.state.kind === 'closed');
      await harness.pass(ttlSeconds * 1_500);
      expect(follower.addresses).toEqual(['localhost:1']);
      expect(second.state.kind).toBe('registered');
    });

    it('puts its key again when its lease was revoked behind its back', async () => {
      await follow();
      const registration = register('localhost:1');
      await registered(registration);
      const states: string[] = [];
      const listening = (async () => {
        for await (const state of registration.states()) states.push(state.kind);
      })();
      const holder = await harness.leases.holder(registration.id, { timeoutMs: 2_000 });
      await harness.leases.revoke(holder?.lease ?? '', { timeoutMs: 2_000 });
      await harness.until('it is gone', () => follower.table.size === 0);
      await harness.until('it is back', () => follower.table.size === 1);
      await registered(registration);
      void registration.close();
      await harness.until('closed', () => registration.state.kind === 'closed');
      await listening;
      expect(states).toEqual(['registered', 'lost', 'registered', 'closed']);
    });

    it('says stale once while the registry is away, keeps its table, and converges after', async () => {
      await follow();
      register('localhost:1');
      const leaving = register('localhost:2', 1);
      await harness.until('both', () => follower.table.size === 2);
      await registered(leaving);
      await harness.stop();
      await harness.until('stale', () => follower.stale);
      expect(follower.addresses).toEqual(['localhost:1', 'localhost:2']);
      const gone = leaving.close();
      const late = register('localhost:3', 1);
      const blind = new Follower(harness.registry, service);
      await harness.until('a new reader hears it too', () => blind.stale);
      await harness.pass(1_000);
      expect(follower.kinds.match(/stale/g)).toHaveLength(1);
      expect(blind.kinds).toBe('stale');
      await harness.start();
      await harness.until('current', () => !follower.stale && !blind.stale);
      await harness.until('the new one is found', () => follower.has('localhost:3'));
      await harness.until('the old one is gone', () => !follower.has('localhost:2'));
      await registered(late);
      await gone;
      expect(follower.kinds).toMatch(/^snapshot (changes )+stale snapshot( changes)*$/);
      await harness.until('both readers agree', () => blind.addresses.join() === 'localhost:1,localhost:3');
      await blind.stop();
    });

    it('closes within 3 s while the registry is away', async () => {
      await follow();
      const announced = register('localhost:1');
      await registered(announced);
      await harness.stop();
      const never = register('localhost:2');
      const closing = [announced.close(), never.close()];
      let closed = 0;
      for (const each of closing) void each.then(() => closed++);
      await harness.pass(3_000);
      expect(closed).toBe(2);
      expect(announced.state.kind).toBe('closed');
      await expect(never.registered()).rejects.toMatchObject({ code: 'CLOSED' });
      await harness.start();
    });

    it('gives up waiting to be registered when the caller does', async () => {
      await follow();
      await harness.stop();
      const registration = register('localhost:1');
      const stop = new AbortController();
      const waiting = registration.registered(stop.signal);
      await harness.until('a reason', () => codeOf(registration) === 'REGISTRY_UNAVAILABLE');
      expect(registration.state.kind).toBe('registering');
      stop.abort(new Error('enough'));
      await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
      await harness.start();
      await registered(registration);
    });
  });
}
