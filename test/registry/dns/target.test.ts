import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DnsRegistry } from '../../../src/registry/dns/index.js';
import { parseTarget } from '../../../src/registry/dns/target.js';

describe('the name of a service in DNS', () => {
  it('is host:port, or _service._tcp.domain', () => {
    expect(parseTarget('Greeter.example:443')).toEqual({
      kind: 'host',
      host: 'Greeter.example',
      port: 443,
      authority: 'Greeter.example:443',
    });
    expect(parseTarget('my_host.example.:1')).toMatchObject({
      host: 'my_host.example',
      authority: 'my_host.example:1',
    });
    expect(parseTarget('[::1]:1')).toEqual({ kind: 'host', host: '::1', port: 1, authority: '[::1]:1' });
    expect(parseTarget('_grpc._tcp.greeter.example.')).toEqual({
      kind: 'srv',
      name: '_grpc._tcp.greeter.example',
      authority: 'greeter.example',
    });
  });

  it.each([
    ['', /is not host:port/],
    ['greeter', /is not host:port/],
    ['greeter:0', /is not host:port/],
    ['greeter:70000', /is not host:port/],
    ['a..b:1', /its host is no DNS name/],
    [`${'a'.repeat(64)}:1`, /is not host:port/],
    [`${'a.'.repeat(127)}ab:1`, /is not host:port/],
    ['bücher.example:1', /xn--/],
    ['_grpc._udp.greeter.example', /_tcp, not _udp/],
    ['_grpc._tcp.a b', /its domain is no DNS name/],
    ['_grpc._tcp.', /is not host:port/],
    ['a/b:1', /is not host:port/],
  ])('cannot be %j', (service, why) => {
    const watch = () => new DnsRegistry().watch(service, new AbortController().signal);
    expect(watch).toThrow(why);
    expect(watch).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('is taken or refused, whatever it is, and what is taken is a name', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.domain(),
          fc.ipV6().map((ip) => `[${ip}]:1`),
        ),
        (service) => {
          for (const text of [service, `${service}:50051`, `_x._tcp.${service}`]) {
            try {
              const target = parseTarget(text);
              const name = target.kind === 'host' ? target.host : target.name;
              expect(name).toMatch(/^[A-Za-z0-9_.:%-]{1,253}$/);
            } catch (error) {
              expect(error).toMatchObject({ code: 'INVALID_OPTION' });
            }
          }
        },
      ),
    );
  });
});

describe('the options of a DNS registry', () => {
  it.each([
    [{ servers: ['nowhere'] }, /servers must be IP or IP:port/],
    [{ servers: [] }, /servers is no list/],
    [{ servers: '10.0.0.1' as never }, /servers is no list/],
    [{ servers: ['10.0.0.1'], resolver: 'system' as const }, /resolver "system" asks its own/],
    [{ resolver: 'other' as never }, /resolver is "other"/],
    [{ family: 5 as never }, /family is 5/],
    [{ intervalMs: 10 }, /intervalMs is 10/],
    [{ timeoutMs: 0 }, /timeoutMs is 0/],
    [{ interval: 1 } as never, /did you mean intervalMs/],
  ])('are checked: %j', (options, why) => {
    expect(() => new DnsRegistry(options)).toThrow(why);
  });

  it('know nothing of SRV when the operating system is asked', () => {
    const registry = new DnsRegistry({ resolver: 'system' });
    expect(() => registry.watch('_a._tcp.b', AbortSignal.abort())).toThrow(/SRV/);
  });

  it('refuse a watch once it is closed', async () => {
    const registry = new DnsRegistry();
    await registry.close();
    expect(() => registry.watch('a:1', AbortSignal.abort())).toThrow(
      expect.objectContaining({ code: 'CLOSED' }),
    );
  });
});
