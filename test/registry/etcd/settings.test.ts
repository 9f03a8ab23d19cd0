import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { type EtcdOptions, etcdSettings } from '../../../src/registry/etcd/settings.js';
import { VirtualClock } from '../../../src/testing/index.js';

const pem = Buffer.from('pem');

describe('etcdSettings', () => {
  it('fills in what is not said', () => {
    const settings = etcdSettings({ hosts: 'a' });
    expect(settings).toMatchObject({
      members: 1,
      prefix: 'etcdv3_resolver',
      requestTimeoutMs: 1_000,
      leadingSlash: true,
      httpProxy: true,
      value: 'auto',
    });
    expect(settings.tls).toBeUndefined();
    expect(settings.token.value).toBeUndefined();
    expect(settings.clock).toBe(systemClock);
    expect(() => settings.logger.warn('to nobody')).not.toThrow();
    expect(settings.random(1)).toBe(0);
  });

  it('keeps what is said', () => {
    const clock = new VirtualClock();
    const random = () => 0;
    const said: string[] = [];
    const logger = { info: (line: string) => said.push(line), warn: (line: string) => said.push(line) };
    const tls = { ca: pem };
    const settings = etcdSettings({
      ...{ hosts: 'https://a', prefix: 'p', tls, requestTimeoutMs: 5, clock, random, logger },
    });
    expect(settings).toMatchObject({ prefix: 'p', requestTimeoutMs: 5 });
    expect(settings.tls).toBe(tls);
    expect(settings.clock).toBe(clock);
    expect(settings.random).toBe(random);
    settings.logger.warn('heard');
    expect(said).toEqual(['heard']);
  });

  it('asks for a token where there is a user', async () => {
    const auth = { username: 'u', password: 'p' };
    const { token } = etcdSettings({ hosts: 'a', auth });
    await token.obtain(async (of) => JSON.stringify(of));
    expect(token.value).toBe(JSON.stringify(auth));
  });

  it('gives each member in turn, from one by chance on', () => {
    const asked: number[] = [];
    const random = (n: number) => {
      asked.push(n);
      return 1;
    };
    const { nextHost, members } = etcdSettings({ hosts: 'a,b,c', random });
    expect(members).toBe(3);
    expect(asked).toEqual([3]);
    expect([1, 2, 3, 4].map(nextHost)).toEqual([
      'http://b:2379',
      'http://c:2379',
      'http://a:2379',
      'http://b:2379',
    ]);
  });

  it('speaks TLS to hosts without a scheme where there is TLS', () => {
    expect(etcdSettings({ hosts: 'a', tls: {} }).nextHost()).toBe('https://a:2379');
  });

  it.each<[Partial<EtcdOptions>, string]>([
    [{ requestTimeoutMs: 0 }, 'requestTimeoutMs is 0, and must be a number from 1 to 600000'],
    [{ requestTimeoutMs: Number.NaN }, 'requestTimeoutMs is NaN, and must be a number from 1 to 600000'],
    [{ requestTimeoutMs: 600_001 }, 'requestTimeoutMs is 600001, and must be a number from 1 to 600000'],
    [{ value: 'json' as 'auto' }, 'value is "json", and must be "plain", "naming", "auto"'],
    [{ tls: { cert: pem } }, 'tls.cert and tls.key are given together, or not at all'],
    [{ tls: { key: pem } }, 'tls.cert and tls.key are given together, or not at all'],
    [{ hosts: 'http://a:1', tls: {} }, 'tls is given, and etcd host http://a:1 is not https'],
  ])('refuses %j', (options, message) => {
    expect(() => etcdSettings({ hosts: 'https://a', ...options })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message }),
    );
  });

  it('takes a certificate and a key together', () => {
    const tls = { cert: pem, key: pem };
    expect(etcdSettings({ hosts: 'a', tls }).tls).toBe(tls);
  });
});
