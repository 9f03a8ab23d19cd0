import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  endpointFrom,
  isWeight,
  isWildcard,
  joinHostPort,
  sameEndpoint,
  splitHostPort,
} from '../../src/base/endpoint.js';

describe('host:port', () => {
  it.each([
    ['localhost:50051', 'localhost', 50051],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['a-b.example.com:65535', 'a-b.example.com', 65535],
    ['[::1]:50051', '::1', 50051],
    ['[2001:db8::1:2]:80', '2001:db8::1:2', 80],
    ['dns.:80', 'dns.', 80],
    ['bücher.example:80', 'bücher.example', 80],
  ])('%s', (text, host, port) => {
    expect(splitHostPort(text)).toEqual({ host, port });
    expect(joinHostPort(host, port)).toBe(text);
  });

  it.each([
    '',
    ':',
    ':80',
    'host',
    'host:',
    'host:0',
    'host:65536',
    'host:99999',
    'host:123456',
    'host:-1',
    'host:1e3',
    'host: 80',
    ' host:80',
    'host:80 ',
    'host:80\n',
    '::1:80',
    '::1',
    '[::1]',
    '[]:80',
    '[host]:80',
    '[::1:80',
    'a/b:80',
    'http://host:80',
    'user@host:80',
    'host:80/x',
    'host:80:90',
    'host:８０',
    'unix:/tmp/x',
    // No client of ours connects with a zone.
    '[::1%lo]:80',
    '[fe80::1%eth0]:80',
    '[1:2]:80',
    '[::1::]:80',
    // gRPC takes these for schemes.
    'unix:80',
    'DNS:80',
    'ipv4:80',
    'ipv6:80',
    'xds:80',
    'passthrough:80',
    // What a terminal, a header or a log would trip over.
    'a\u0000b:80',
    'a\u001b[31m:80',
    'a\u009b:80',
    'a\u202eb:80',
    'a"b:80',
    'a,b:80',
    '*:80',
    `${'a'.repeat(254)}:80`,
  ])('refuses %j', (text) => {
    expect(splitHostPort(text)).toBeUndefined();
  });

  it('takes port 0 where it is asked to', () => {
    expect(splitHostPort('host:0', { allowPortZero: true })).toEqual({ host: 'host', port: 0 });
  });

  it('takes apart whatever it has put together', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        expect(splitHostPort(joinHostPort(host, port))).toEqual({ host, port });
      }),
    );
  });
});

describe('endpointFrom', () => {
  it('fills in what is not given', () => {
    const made = endpointFrom({ address: 'h:1' }, 'id');
    expect(made).toEqual({ id: 'id', address: 'h:1', weight: 1, metadata: {} });
    expect(endpointFrom({ address: 'h:1', weight: 0, metadata: { zone: 'a' } }, 'id')).toMatchObject({
      weight: 0,
      metadata: { zone: 'a' },
    });
  });

  it.each([
    [{ address: 'nowhere' }, 'INVALID_ADDRESS', /"nowhere" is not host:port/],
    [{ address: 'unix:/tmp/x' }, 'INVALID_ADDRESS', /static and in-memory/],
    [{ address: 'unix:' }, 'INVALID_ADDRESS', /"unix:"/],
    [
      { address: 'dns:80' },
      'INVALID_ADDRESS',
      /takes the word before the colon for a scheme: end it with a dot/,
    ],
    [{ address: '[::1%lo]:80' }, 'INVALID_ADDRESS', /without a zone/],
    [{ address: 80 as unknown as string }, 'INVALID_ADDRESS', /address 80 is not host:port/],
    [
      { address: 'h:1', weight: 1e308 },
      'INVALID_OPTION',
      /weight 1e\+308 of h:1 is not 0, nor a number from 1e-6 to/,
    ],
    [{ address: 'h:1', weight: 5e-324 }, 'INVALID_OPTION', /weight 5e-324/],
    [{ address: 'h:1', weight: -1 }, 'INVALID_OPTION', /weight -1 of h:1/],
    [{ address: 'h:1', weight: Number.NaN }, 'INVALID_OPTION', /weight NaN/],
    [{ address: 'h:1', weight: Number.POSITIVE_INFINITY }, 'INVALID_OPTION', /weight Infinity/],
    [{ address: 'h:1', weight: '2' as unknown as number }, 'INVALID_OPTION', /weight 2/],
  ])('refuses %j', (init, code, message) => {
    expect(() => endpointFrom(init, 'id')).toThrow(message);
    expect(() => endpointFrom(init, 'id')).toThrow(expect.objectContaining({ code }));
  });

  it('speaks of unix: only where that is what was wrong', () => {
    expect(() => endpointFrom({ address: 'localhost' }, 'id')).toThrow(
      /^address "localhost" is not host:port \(port 1 to 65535, IPv6 in brackets and without a zone\)$/,
    );
  });

  it('takes unix: where it is asked to', () => {
    expect(endpointFrom({ address: 'unix:/tmp/x' }, 'id', { allowUnix: true }).address).toBe('unix:/tmp/x');
    expect(() => endpointFrom({ address: 'unix:' }, 'id', { allowUnix: true })).toThrow('not host:port');
  });
});

it.each([
  [true, ['0', '00', '0.0', '0.0.0.0', '00.0.0.0', '000.000.000.000', '0x0', '0x0.0x0.0.0', '0.0.0.0.']],
  [true, ['::', '0::0', '0:0:0:0:0:0:0:0', '::0.0.0.0', '::ffff:0.0.0.0', '::ffff:0:0', '::FFFF:0:0']],
  [false, ['1.0.0.0', '0.0.0.1', '10.0.0.0', '0a', 'x0', 'host', '0.example', '::1', '::ffff:10.0.0.0']],
])('isWildcard is %s', (expected, hosts) => {
  for (const host of hosts) expect([host, isWildcard(host)]).toEqual([host, expected]);
});

it('isWeight', () => {
  expect([0, 0.1, 1e9].every(isWeight)).toBe(true);
  expect([1e-6, 2 ** 32 - 1].every(isWeight)).toBe(true);
  expect([1e-7, 2 ** 32, 1e308].some(isWeight)).toBe(false);
  expect([-0.1, Number.NaN, Number.POSITIVE_INFINITY, '1', null, undefined].some(isWeight)).toBe(false);
});

describe('sameEndpoint', () => {
  const base: Endpoint = { id: 'a', address: 'h:1', weight: 1, metadata: { x: '1', y: '2' } };

  it('looks at every field, by value', () => {
    expect(sameEndpoint(base, { ...base, metadata: { y: '2', x: '1' } })).toBe(true);
    const others: Partial<Endpoint>[] = [
      { id: 'b' },
      { address: 'h:2' },
      { weight: 2 },
      { metadata: { x: '1' } },
      { metadata: { x: '1', y: '3' } },
      { metadata: { x: '1', z: '2' } },
      { metadata: { x: '1', y: '2', z: '3' } },
    ];
    for (const other of others) {
      expect(sameEndpoint(base, { ...base, ...other })).toBe(false);
      expect(sameEndpoint({ ...base, ...other }, base)).toBe(false);
    }
  });

  it('is not fooled by what every object has', () => {
    const odd = { ...base, metadata: { toString: 'x' } };
    expect(sameEndpoint(odd, { ...base, metadata: { other: 'x' } })).toBe(false);
    expect(sameEndpoint({ ...base, metadata: { constructor: 'x' } }, odd)).toBe(false);
  });
});
