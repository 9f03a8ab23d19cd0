import { describe, expect, it } from 'vitest';
import { advertisedAddress, formatAddress, parseListenAddress } from '../../src/server/address.js';

describe('parseListenAddress', () => {
  it.each([
    ['localhost:50001', { kind: 'tcp', host: 'localhost', port: 50_001 }],
    ['127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1', port: 0 }],
    ['[::1]:443', { kind: 'tcp', host: '::1', port: 443 }],
    ['unix:/run/a.sock', { kind: 'unix', path: '/run/a.sock' }],
  ])('takes %s, and formats it back', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(formatAddress(parseListenAddress(text))).toBe(text);
  });

  it.each([
    '',
    'localhost',
    ':50001',
    'localhost:',
    'localhost:70000',
    'localhost:-1',
    '::1:443',
    'unix:',
    'a b:1',
  ])('refuses %j, naming it', (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ADDRESS',
        message: expect.stringContaining(JSON.stringify(text)),
      }),
    );
  });
});

describe('advertisedAddress', () => {
  const announced = (address: string, advertise: string | undefined, port: number) => {
    const listening = parseListenAddress(address);
    return advertisedAddress(
      listening,
      advertise,
    )(listening.kind === 'tcp' ? { ...listening, port } : listening);
  };

  it.each([
    ['localhost:0', undefined, 40_000, 'localhost:40000'],
    ['[::1]:0', undefined, 40_000, '[::1]:40000'],
    ['unix:/run/a.sock', undefined, 0, 'unix:/run/a.sock'],
    ['0.0.0.0:0', '10.1.2.3', 40_000, '10.1.2.3:40000'],
    ['0.0.0.0:0', '10.1.2.3:0', 40_000, '10.1.2.3:40000'],
    ['[::]:50001', 'svc.example:443', 50_001, 'svc.example:443'],
    ['[::]:50001', '2001:db8::7', 50_001, '[2001:db8::7]:50001'],
    ['[::]:50001', '[2001:db8::7]', 50_001, '[2001:db8::7]:50001'],
    ['localhost:50001', '[2001:db8::7]:9', 50_001, '[2001:db8::7]:9'],
    ['unix:/run/a.sock', 'host:9', 0, 'host:9'],
  ])('%s advertised as %s, bound to port %i, is %s', (address, advertise, port, expected) => {
    expect(announced(address, advertise, port)).toBe(expected);
  });

  it.each(['0.0.0.0:50001', '[::]:50001', '[0:0:0:0:0:0:0:0]:0', '0:50001'])(
    'wants to be told what to announce for %s',
    (address) => {
      expect(() => advertisedAddress(parseListenAddress(address), undefined)).toThrow(/`advertise`/);
    },
  );

  it.each(['0.0.0.0', '[::]:1', '', 'host:70000', 'a:b', 'http://host:1'])(
    'refuses to announce %j',
    (advertise) => {
      expect(() => advertisedAddress(parseListenAddress('0.0.0.0:50001'), advertise)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ADDRESS',
          message: expect.stringContaining(JSON.stringify(advertise)),
        }),
      );
    },
  );

  it('needs a port of its own before a unix socket', () => {
    expect(() => advertisedAddress(parseListenAddress('unix:/run/a.sock'), 'host')).toThrow(
      /INVALID|advertise/,
    );
  });
});
