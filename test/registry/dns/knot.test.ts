// On a real DNS server, with a real pool and real servers.
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { GreeterService } from '../../../generated/helloworld.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { DnsRegistry } from '../../../src/registry/dns/index.js';
import { Follower } from '../../../src/testing/follower.js';
import { eventually } from '../../support/eventually.js';
import { ensureKnot, Knot } from '../../support/knot.js';
import { ServerProcess } from '../../support/server-process.js';

/** Why there is none. */
let why: string | undefined;
let knot: Knot | undefined;

beforeAll(async () => {
  why = await ensureKnot();
  if (why !== undefined) console.warn(`skipped, DNS on a real server: ${why}`);
  else knot = await Knot.start();
}, 180_000);

afterAll(() => knot?.close());

describe('DNS on a real server', () => {
  beforeEach((context) => context.skip(knot === undefined, why));

  function follow(service: string) {
    const registry = new DnsRegistry({ servers: [knot!.address] });
    const follower = new Follower(registry, service);
    onTestFinished(async () => {
      await follower.stop();
      await registry.close();
    });
    return { registry, follower };
  }

  it('is seen to change when its time to live is over', async () => {
    await knot!.update('add ttl.test. 1 A 10.0.0.1', 'add ttl.test. 1 AAAA fd00::1');
    const { follower } = follow('ttl.test:50051');
    await eventually('a snapshot', () => follower.events.length > 0);
    expect(follower.addresses).toEqual(['10.0.0.1:50051', '[fd00::1]:50051']);
    await knot!.update('delete ttl.test. AAAA', 'add ttl.test. 1 A 10.0.0.2');
    await eventually('the change', () => follower.addresses.join() === '10.0.0.1:50051,10.0.0.2:50051');
    expect(follower.count('stale')).toBe(0);
  });

  it('tells SRV with its priorities and weights', async () => {
    await knot!.update(
      'add _grpc._tcp.srv.test. 1 SRV 0 5 1001 one.test.',
      'add _grpc._tcp.srv.test. 1 SRV 9 5 1002 two.test.',
      'add one.test. 1 A 10.0.0.1',
      'add two.test. 1 A 10.0.0.2',
    );
    const { follower } = follow('_grpc._tcp.srv.test');
    await eventually('a snapshot', () => follower.events.length > 0);
    const told = [...follower.table.values()].map(({ address, weight, metadata }) => [
      address,
      weight,
      metadata.target,
    ]);
    expect(told).toEqual([
      ['10.0.0.1:1001', 5, 'one.test'],
      ['10.0.0.2:1002', 0, 'two.test'],
    ]);
  });

  it('makes the table stale by an empty answer, and current by the next', async () => {
    await knot!.update('add gone.test. 1 A 10.0.0.1');
    const { follower } = follow('gone.test:1');
    await eventually('a snapshot', () => follower.events.length > 0);
    await knot!.update('delete gone.test. A');
    await eventually('stale', () => follower.stale);
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
    await knot!.update('add gone.test. 1 A 10.0.0.2');
    await eventually('current again', () => follower.addresses.join() === '10.0.0.2:1');
  });

  it('is asked at once when a server dies, long before its time to live is over', async () => {
    const service = 'greeter';
    const start = () => ServerProcess.start({ service, announceTo: { kind: 'nowhere' } });
    const [old, next] = await Promise.all([start(), start()]);
    onTestFinished(() => Promise.all([old.kill(), next.kill()]).then(() => {}));
    const srv = (server: ServerProcess) =>
      `_grpc._tcp.pool.test. 3600 SRV 0 1 ${server.address.split(':')[1]} ns.test.`;
    await knot!.update(`add ${srv(old)}`);
    const registry = new DnsRegistry({ servers: [knot!.address] });
    const pool = new Pool({ registry, service: '_grpc._tcp.pool.test' });
    onTestFinished(async () => {
      await pool.close();
      await registry.close();
    });
    const greeter = pool.stub(GreeterService);
    await greeter.sayHello({ name: 'dns' }, { timeoutMs: 20_000 });
    await knot!.update(`delete ${srv(old)}`, `add ${srv(next)}`);
    await old.kill();
    // Only a new answer of DNS can bring a server within the hour. A call may still meet the end of the old one.
    await eventually('an answer of the next server', () =>
      greeter.sayHello({ name: 'dns' }, { timeoutMs: 20_000 }).then(
        ({ message }) => message.includes(next.address),
        () => false,
      ),
    );
  });
});
