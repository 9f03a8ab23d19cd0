import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  endpointFrom,
  isWeight,
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
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
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
      /^address "localhost" is not host:port \(port 1 to 65535, IPv6 in brackets\)$/,
    );
  });

  it('takes unix: where it is asked to', () => {
    expect(endpointFrom({ address: 'unix:/tmp/x' }, 'id', { allowUnix: true }).address).toBe('unix:/tmp/x');
    expect(() => endpointFrom({ address: 'unix:' }, 'id', { allowUnix: true })).toThrow('not host:port');
  });
});

it('isWeight', () => {
  expect([0, 0.1, 1e9].every(isWeight)).toBe(true);
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
