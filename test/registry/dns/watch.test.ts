import { describe, expect, it, onTestFinished } from 'vitest';
import type { DnsOptions } from '../../../src/registry/dns/index.js';
import { Follower } from '../../../src/testing/follower.js';
import { FakeDns } from './fake-asker.js';

/** A reader of a service, on a virtual clock; nothing may be left of it. */
async function follow(dns: FakeDns, service: string, options: Partial<DnsOptions> = {}) {
  const registry = dns.registry(options);
  const follower = new Follower(registry, service);
  onTestFinished(async () => {
    await follower.stop();
    await registry.close();
    expect(dns.clock.pending, 'timers that are left').toBe(0);
  });
  await dns.clock.advance(0);
  return { registry, follower };
}

describe('a service by its addresses', () => {
  it('is told with its port, and with its name as authority', async () => {
    const dns = new FakeDns();
    dns.a('greeter.test', 60, '10.0.0.2', '10.0.0.1', '10.0.0.1');
    dns.zone.set('AAAA greeter.test', [{ address: 'fd00::1', ttl: 60 }]);
    const { follower } = await follow(dns, 'greeter.test.:443', { family: undefined as never });
    expect(follower.kinds).toBe('snapshot');
    expect([...follower.table.values()]).toEqual(
      ['10.0.0.1:443', '10.0.0.2:443', '[fd00::1]:443'].map((address) => ({
        id: address,
        address,
        weight: 1,
        metadata: { authority: 'greeter.test:443' },
      })),
    );
  });

  it('is asked for again when its least time to live is over, and what has changed is told', async () => {
    const dns = new FakeDns();
    dns.zone.set('A greeter.test', [
      { address: '10.0.0.1', ttl: 60 },
      { address: '10.0.0.2', ttl: 20 },
    ]);
    const { follower } = await follow(dns, 'greeter.test:1');
    dns.a('greeter.test', 60, '10.0.0.2', '10.0.0.3');
    await dns.clock.advance(19_999);
    expect(dns.asked).toEqual(['0 A greeter.test']);
    await dns.clock.advance(1);
    expect(follower.events.at(-1)).toEqual({
      kind: 'changes',
      put: [expect.objectContaining({ address: '10.0.0.3:1' })],
      removed: ['10.0.0.1:1'],
    });
    await dns.clock.advance(60_000);
    expect(dns.asked).toEqual(['0 A greeter.test', '20000 A greeter.test', '80000 A greeter.test']);
    expect(follower.kinds, 'an answer as before is no news').toBe('snapshot changes');
  });

  it.each([
    ['no time is told', undefined, 30_000],
    ['it is 0', 0, 1_000],
    ['it is below 0', -5, 1_000],
    ['it is for ever', 2 ** 31 - 1, 300_000],
  ])('is asked for within bounds when %s', async (_, ttl, waitMs) => {
    const dns = new FakeDns();
    dns.a('greeter.test', ttl, '10.0.0.1');
    await follow(dns, 'greeter.test:1');
    await dns.clock.advance(waitMs - 1);
    expect(dns.asked).toHaveLength(1);
    await dns.clock.advance(1);
    expect(dns.asked).toHaveLength(2);
  });

  it('is asked for later by chance, by a tenth and by half a second at most', async () => {
    for (const [ttl, latest] of [
      [2, 2_200],
      [60, 60_500],
    ] as const) {
      const dns = new FakeDns();
      dns.a('greeter.test', ttl, '10.0.0.1');
      await follow(dns, 'greeter.test:1', { random: (n) => n - 1 });
      await dns.clock.advance(latest - 1);
      expect(dns.asked).toHaveLength(1);
      await dns.clock.advance(1);
      expect(dns.asked).toHaveLength(2);
    }
  });

  it('leaves out addresses that are none, and says so once', async () => {
    const dns = new FakeDns();
    dns.a('greeter.test', 1, '0.0.0.0', '10.0.0.1');
    const { follower } = await follow(dns, 'greeter.test:1');
    await dns.clock.advance(5_000);
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
    expect(dns.warnings).toEqual([expect.stringContaining('0.0.0.0')]);
  });

  it('may be an address itself, of which nobody is asked', async () => {
    const dns = new FakeDns();
    const { follower } = await follow(dns, '[fd00::1]:1', { family: undefined as never });
    expect(follower.addresses).toEqual(['[fd00::1]:1']);
    expect(dns.asked).toEqual([]);
  });
});

describe('an answer that cannot be believed', () => {
  it.each([
    [
      'a failure',
      (dns: FakeDns) => dns.fails('A greeter.test', 'ESERVFAIL'),
      /A of greeter\.test: ESERVFAIL/,
    ],
    [
      'no address',
      (dns: FakeDns) => dns.a('greeter.test', 60),
      /greeter\.test has no address; names are absolute/,
    ],
    ['nowhere', (dns: FakeDns) => dns.a('greeter.test', 60, '0.0.0.0'), /greeter\.test has no address/],
    [
      'silence',
      (dns: FakeDns) => void dns.zone.set('A greeter.test', 'silence'),
      /A of greeter\.test: no answer within 3000 ms/,
    ],
  ])('is stale, once, and leaves the table as it was: %s', async (_, breaks, why) => {
    const dns = new FakeDns();
    dns.a('greeter.test', 10, '10.0.0.1');
    const { follower } = await follow(dns, 'greeter.test:1');
    breaks(dns);
    await dns.clock.advance(15_000);
    expect(follower.kinds).toBe('snapshot stale');
    expect(follower.events.at(-1)).toMatchObject({ cause: { code: 'REGISTRY_UNAVAILABLE' } });
    expect(dns.warnings).toEqual([expect.stringMatching(why)]);
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
    dns.a('greeter.test', 10, '10.0.0.1');
    await dns.clock.advance(10_000);
    expect(follower.kinds).toBe('snapshot stale snapshot');
    expect(dns.infos).toEqual(['greeter.test:1 is current again by DNS: 1 endpoints']);
  });

  it('is asked for again after a back-off up to 5 s', async () => {
    const dns = new FakeDns();
    dns.fails('A greeter.test', 'EREFUSED');
    await follow(dns, 'greeter.test:1', { random: (n) => n - 1 });
    await dns.clock.advance(30_000);
    const waits = dns.asked.map((line) => Number(line.split(' ')[0]));
    expect(waits).toEqual([0, 500, 1_500, 3_500, 7_500, 12_500, 17_500, 22_500, 27_500]);
  });

  it('stops being waited for when the watch ends', async () => {
    const dns = new FakeDns();
    dns.zone.set('A greeter.test', 'silence');
    const { follower } = await follow(dns, 'greeter.test:1');
    await follower.stop();
    expect(dns.cancelled).toBe(1);
    expect(follower.events).toEqual([]);
  });

  it('of one family leaves the other one alone, which never told anything', async () => {
    const dns = new FakeDns();
    dns.a('greeter.test', 10, '10.0.0.1');
    dns.fails('AAAA greeter.test', 'ESERVFAIL');
    const { follower } = await follow(dns, 'greeter.test:1', { family: undefined as never });
    await dns.clock.advance(30_000);
    expect(follower.kinds).toBe('snapshot');
    expect(dns.warnings).toEqual(['greeter.test:1: DNS: AAAA of greeter.test: ESERVFAIL']);
  });

  it('of one family keeps what that has told, as stale, and goes on with the other', async () => {
    const dns = new FakeDns();
    dns.a('greeter.test', 10, '10.0.0.1');
    dns.zone.set('AAAA greeter.test', [{ address: 'fd00::1', ttl: 10 }]);
    const { follower } = await follow(dns, 'greeter.test:1', {
      family: undefined as never,
      random: (n) => n - 1,
    });
    dns.fails('AAAA greeter.test', 'ESERVFAIL');
    await dns.clock.advance(11_000);
    expect(follower.kinds).toBe('snapshot stale');
    dns.a('greeter.test', 10, '10.0.0.2');
    await dns.clock.advance(20_000);
    expect(follower.kinds).toBe('snapshot stale snapshot stale');
    expect(follower.addresses).toEqual(['10.0.0.2:1', '[fd00::1]:1']);
    expect(dns.warnings).toHaveLength(1);
    dns.zone.set('AAAA greeter.test', []);
    await dns.clock.advance(20_000);
    expect(follower.kinds).toBe('snapshot stale snapshot stale snapshot');
    expect(follower.addresses).toEqual(['10.0.0.2:1']);
  });
});

describe('a service by SRV', () => {
  const name = '_grpc._tcp.greeter.test';

  it('has ports and weights of its records, and the domain as authority', async () => {
    const dns = new FakeDns();
    dns.srv(name, '10 6 50051 a.test', '10 0 50052 B.test.', '20 7 50053 c.test');
    dns.a('a.test', 60, '10.0.0.1', '10.0.0.2');
    dns.a('b.test', 60, '10.0.0.3');
    dns.a('c.test', 60, '10.0.0.4');
    const { follower } = await follow(dns, name);
    const authority = 'greeter.test';
    const of = (address: string, weight: number, target: string, priority: string) => ({
      id: address,
      address,
      weight,
      metadata: { authority, target, priority },
    });
    expect([...follower.table.values()]).toEqual([
      of('10.0.0.1:50051', 3, 'a.test', '10'),
      of('10.0.0.2:50051', 3, 'a.test', '10'),
      of('10.0.0.3:50052', 1, 'b.test', '10'),
      of('10.0.0.4:50053', 0, 'c.test', '20'),
    ]);
  });

  it('is asked for again when the first of its addresses is too old', async () => {
    const dns = new FakeDns();
    dns.srv(name, '0 1 1 a.test', '0 1 2 b.test');
    dns.a('a.test', 90, '10.0.0.1');
    dns.a('b.test', 5, '10.0.0.2');
    await follow(dns, name);
    await dns.clock.advance(5_000);
    expect(dns.asked.filter((line) => line.includes('SRV'))).toEqual([`0 SRV ${name}`, `5000 SRV ${name}`]);
  });

  it('has no server when its target is the root, and says that as a truth', async () => {
    const dns = new FakeDns();
    dns.srv(name, '0 0 0 ');
    const { follower } = await follow(dns, name);
    expect(follower.events).toEqual([{ kind: 'snapshot', endpoints: [] }]);
    dns.srv(name);
    await dns.clock.advance(30_000);
    expect(follower.stale).toBe(true);
  });

  it('has not none when all that it tells is no server', async () => {
    const dns = new FakeDns();
    dns.srv(name, '0 1 0 a.test', '0 1 5 b..test');
    const { follower } = await follow(dns, name);
    expect(follower.kinds).toBe('stale');
  });

  it('goes on without a target that has no address, or that never answered', async () => {
    const dns = new FakeDns();
    dns.srv(name, '0 1 1 a.test', '0 1 2 b.test', '0 1 3 c.test', '0 1 0 d.test', '0 1 4 e..test');
    dns.a('a.test', 60, '10.0.0.1');
    dns.fails('A c.test', 'ESERVFAIL');
    const { follower } = await follow(dns, name);
    expect(follower.kinds).toBe('snapshot');
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
    expect(dns.warnings).toHaveLength(1);
    expect(dns.asked.join()).not.toMatch(/ [de]\./);
  });

  it('keeps what a target told that fails now, as stale', async () => {
    const dns = new FakeDns();
    dns.srv(name, '0 1 1 a.test', '0 1 2 b.test');
    dns.a('a.test', 10, '10.0.0.1');
    dns.a('b.test', 10, '10.0.0.2');
    const { follower } = await follow(dns, name);
    dns.fails('A b.test', 'ESERVFAIL');
    dns.a('a.test', 10, '10.0.0.9');
    await dns.clock.advance(10_000);
    expect(follower.kinds).toBe('snapshot changes stale');
    expect(follower.addresses).toEqual(['10.0.0.2:2', '10.0.0.9:1']);
  });

  it('is asked for less often the more questions it takes, whatever its time to live', async () => {
    const dns = new FakeDns();
    dns.srv(name, ...Array.from({ length: 499 }, (_, i) => `0 1 1 t${i}.test`));
    for (let i = 0; i < 499; i++) dns.a(`t${i}.test`, 0, `10.0.${i >> 8}.${i & 255}`);
    const { registry } = await follow(dns, name);
    expect(dns.asked).toHaveLength(500);
    for (let i = 0; i < 49; i++) {
      await dns.clock.advance(100);
      registry.refresh(name);
    }
    expect(dns.asked, 'after 4.9 s').toHaveLength(500);
    await dns.clock.advance(100);
    expect(dns.asked).toHaveLength(1_000);
  });

  it('is refused when it tells of more than can be meant', async () => {
    const dns = new FakeDns();
    dns.srv(name, ...Array.from({ length: 2_001 }, (_, i) => `0 1 1 t${i}.test`));
    const { follower } = await follow(dns, name);
    expect(follower.kinds).toBe('stale');
    expect(dns.asked, 'no target is asked for').toHaveLength(1);
    dns.srv(name, ...Array.from({ length: 6 }, (_, i) => `0 1 1 t${i}.test`));
    const many = Array.from({ length: 4_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    for (let i = 0; i < 6; i++) dns.a(`t${i}.test`, 60, ...many);
    await dns.clock.advance(10_000);
    expect(follower.kinds).toBe('stale');
  });
});

describe('a name that may be out of date', () => {
  it('is asked for at once, and not more often than twice a second', async () => {
    const dns = new FakeDns();
    dns.a('greeter.test', 60, '10.0.0.1');
    const { registry, follower } = await follow(dns, 'greeter.test:1');
    await dns.clock.advance(10_000);
    dns.a('greeter.test', 60, '10.0.0.2');
    for (let i = 0; i < 1_000; i++) registry.refresh('greeter.test:1');
    await dns.clock.advance(0);
    expect(follower.addresses).toEqual(['10.0.0.2:1']);
    for (let i = 0; i < 20; i++) {
      registry.refresh('greeter.test:1');
      await dns.clock.advance(100);
    }
    const times = dns.asked.map((line) => Number(line.split(' ')[0]));
    expect(times).toEqual([0, 10_000, 10_500, 11_000, 11_500, 12_000]);
  });

  it('waits for the back-off while DNS itself fails', async () => {
    const dns = new FakeDns();
    dns.zone.set('A greeter.test', 'silence');
    const { registry } = await follow(dns, 'greeter.test:1', { random: (n) => n - 1 });
    for (let i = 0; i < 100; i++) {
      registry.refresh('greeter.test:1');
      await dns.clock.advance(100);
    }
    expect(dns.asked.slice(0, 3)).toEqual(['0 A greeter.test', '3500 A greeter.test', '7500 A greeter.test']);
  });

  it('is another one than its neighbour', async () => {
    const dns = new FakeDns();
    dns.a('greeter.test', 60, '10.0.0.1');
    const { registry } = await follow(dns, 'greeter.test:1');
    registry.refresh('greeter.test:2');
    await dns.clock.advance(5_000);
    expect(dns.asked).toHaveLength(1);
  });
});
