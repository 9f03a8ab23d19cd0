// On a scripted DNS server: what c-ares makes of honest and of hostile answers.
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { type DnsOptions, DnsRegistry } from '../../../src/registry/dns/index.js';
import { Follower } from '../../../src/testing/follower.js';
import { describeRegistry } from '../../../src/testing/index.js';
import { type DnsRecord, type DnsScript, DnsServer } from '../../support/dns-server.js';
import { eventually } from '../../support/eventually.js';
import { mappedRegistry } from '../../support/mapped-registry.js';

/** A zone of SRV records, one name a service, on servers that come and go. */
async function contractHarness() {
  const services = new Map<string, Set<string>>();
  const script: DnsScript = ({ name, type }) => {
    if (type === 'A' && name === 'localhost.test')
      return { records: [{ type: 'A', data: '127.0.0.1', ttl: 0 }] };
    if (type === 'AAAA' && name === 'v6.test') return { records: [{ type: 'AAAA', data: '::1', ttl: 0 }] };
    if (type !== 'SRV') return {};
    const addresses = services.get(name.split('.')[2]!) ?? new Set();
    const records = [...addresses].map((address): DnsRecord => {
      const [, host, port] = /^(.*):(\d+)$/.exec(address)!;
      return { type: 'SRV', data: `0 1 ${port} ${host === 'localhost' ? 'localhost.test' : 'v6.test'}` };
    });
    return { records: records.length > 0 ? records : [{ type: 'SRV', data: '0 0 0 .' }] };
  };
  const server = await DnsServer.start(script);
  const registry = new DnsRegistry({
    servers: [server.address],
    minIntervalMs: 5,
    intervalMs: 5,
    maxIntervalMs: 5,
    timeoutMs: 200,
  });
  const of = (service: string) => {
    const addresses = services.get(service) ?? new Set<string>();
    services.set(service, addresses);
    return addresses;
  };
  return {
    registry: mappedRegistry(
      registry,
      (name) => `_grpc._tcp.${name}.test`,
      new Map([['127.0.0.1', 'localhost']]),
    ),
    store: {
      put: (service: string, address: string) => void of(service).add(address),
      remove: (service: string, address: string) => void of(service).delete(address),
      disconnect: () => {
        server.script = () => undefined;
      },
      reconnect: () => {
        server.script = script;
      },
    },
    async close() {
      await registry.close();
      await server.close();
    },
  };
}

describeRegistry('a DNS registry', contractHarness, { describe, it });

async function follow(script: DnsScript, service = 'greeter.test:1', options: Partial<DnsOptions> = {}) {
  const server = await DnsServer.start(script);
  const warnings: string[] = [];
  const registry = new DnsRegistry({
    servers: [server.address],
    family: 4,
    logger: { info() {}, warn: (line) => warnings.push(line) },
    ...options,
  });
  const follower = new Follower(registry, service);
  onTestFinished(async () => {
    await follower.stop();
    await registry.close();
    await server.close();
  });
  await eventually('an event', () => follower.events.length > 0);
  return { server, registry, follower, warnings };
}

const a = (data: string, ttl?: number): DnsRecord => ({ type: 'A', data, ...(ttl !== undefined && { ttl }) });

describe('a DNS server', () => {
  it('that truncates is asked again over TCP', async () => {
    const records = Array.from({ length: 1_000 }, (_, i) => a(`10.0.${i >> 8}.${i & 255}`));
    const { follower, server } = await follow(() => ({ records, truncated: true }));
    expect(follower.table.size).toBe(1_000);
    expect(server.asked).toEqual(['A greeter.test', 'A greeter.test']);
  });

  it.each<[string, DnsScript]>([
    ['truncates over TCP too', () => ({ truncatedAlways: true })],
    ['fails', () => ({ rcode: 2 })],
    ['refuses', () => ({ rcode: 5 })],
    ['knows no such name', () => ({ rcode: 3 })],
    ['has no such record', () => ({})],
    ['answers in a loop', ({ name }) => ({ records: [{ type: 'CNAME', data: name }] })],
    ['points to another name, and no further', () => ({ records: [{ type: 'CNAME', data: 'other.test' }] })],
    ['answers with garbage', () => ({ raw: Buffer.from('ffffffffffffffffffffffffff', 'hex') })],
    ['answers with half a header', () => ({ raw: Buffer.from('81', 'hex') })],
    ['answers with a record of another length', () => ({ records: [a('10.0.0')] })],
    ['is silent', () => undefined],
    ['is slow', () => new Promise(() => {})],
  ])('that %s makes the table stale, and not empty', async (_, script) => {
    const good: DnsScript = () => ({ records: [a('10.0.0.1', 0)] });
    const { follower, server } = await follow(good, 'greeter.test:1', { minIntervalMs: 5, timeoutMs: 200 });
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
    server.script = script;
    await eventually('stale', () => follower.stale);
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
    server.script = good;
    await eventually('current again', () => !follower.stale);
    expect(follower.kinds).toBe('snapshot stale snapshot');
  });

  it('that adds records of other names and types is believed for the name alone', async () => {
    const { follower } = await follow(() => ({
      records: [a('10.0.0.1'), { type: 'AAAA', data: 'fd00::1' }, { type: 'SRV', data: '0 1 9 other.test' }],
    }));
    expect(follower.addresses).toEqual(['10.0.0.1:1']);
  });

  it('that follows a CNAME is believed', async () => {
    const { follower } = await follow(() => ({
      records: [
        { type: 'CNAME', data: 'other.test', ttl: 60 },
        { type: 'A', name: 'other.test', data: '10.0.0.9', ttl: 60 },
      ],
    }));
    expect(follower.addresses).toEqual(['10.0.0.9:1']);
  });

  it('is asked anew: nothing on our side remembers', async () => {
    let ip = '10.0.0.1';
    const { follower, registry } = await follow(() => ({ records: [a(ip, 3_600)] }));
    ip = '10.0.0.2';
    registry.refresh('greeter.test:1');
    await eventually('the new address', () => follower.has('10.0.0.2:1'));
    expect(follower.kinds).toBe('snapshot changes');
  });

  it('that is dead leaves it to the next', async () => {
    const good = await DnsServer.start(() => ({ records: [a('10.0.0.1')] }));
    onTestFinished(() => good.close());
    const dead = await DnsServer.start(() => undefined);
    onTestFinished(() => dead.close());
    const servers = [dead.address, good.address];
    const { follower } = await follow(() => undefined, 'greeter.test:1', { servers, timeoutMs: 20_000 });
    expect(follower.kinds).toBe('snapshot');
  }, 40_000);

  it('is let go when the watch ends, in the midst of a question', async () => {
    const server = await DnsServer.start(() => undefined);
    onTestFinished(() => server.close());
    const registry = new DnsRegistry({ servers: [server.address], timeoutMs: 60_000 });
    const follower = new Follower(registry, 'greeter.test:1');
    await eventually('a question', () => server.asked.length > 0);
    const before = systemClock.now();
    await follower.stop();
    expect(systemClock.now() - before, 'it does not wait for its answer').toBeLessThan(30_000);
    expect(follower.events).toEqual([]);
  });
});

describe('the operating system, asked instead', () => {
  it('knows localhost', async () => {
    const { follower } = await follow(() => undefined, 'localhost:1', {
      servers: undefined as never,
      resolver: 'system',
    });
    expect(follower.addresses).toEqual(['127.0.0.1:1']);
  });
});
