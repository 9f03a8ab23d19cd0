// What may be asked of a registry and a registrar in etcd, and what they then write there.
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import type { EtcdOptions } from '../../../src/registry/etcd/settings.js';
import { Follower } from '../../../src/testing/follower.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { Store } from './store.js';
import { until } from './until.js';

const invalid = (code = 'INVALID_OPTION') => expect.objectContaining({ code });

describe('the options of etcd', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ host: 'a' }, /no option is called "host"; did you mean hosts\?/],
    [{ hosts: 'a', requestTimeOutMs: 5 }, /did you mean requestTimeoutMs\?/],
    [{}, /`hosts` of etcd is no string/],
    [{ hosts: 7 }, /`hosts` of etcd is no string/],
    [{ hosts: ['a', 7] }, /`hosts` of etcd is no string/],
    [{ hosts: 'a', requestTimeoutMs: '500' }, /requestTimeoutMs is "500"/],
    [{ hosts: 'a', requestTimeoutMs: Number.MAX_SAFE_INTEGER }, /from 1 to 600000/],
    [{ hosts: 'a', prefix: 5 }, /prefix is 5/],
    [{ hosts: 'a', leadingSlash: 'no' }, /leadingSlash is "no", and must be true or false/],
    [{ hosts: 'a', httpProxy: 1 }, /httpProxy is 1, and must be true or false/],
    [{ hosts: 'a', value: 'json' }, /value is "json", and must be "plain", "naming", "auto"/],
    [{ hosts: 'a', auth: { user: 'root' } }, /`auth` of etcd is not a username and a password/],
  ])('refuse %j', (options, message) => {
    for (const kind of [EtcdRegistry, EtcdRegistrar]) {
      expect(() => new kind(options as unknown as EtcdOptions)).toThrow(message);
      expect(() => new kind(options as unknown as EtcdOptions)).toThrow(invalid());
    }
  });

  it('are to be an object', () => {
    expect(() => new EtcdRegistry(undefined as unknown as EtcdOptions)).toThrow(invalid());
    expect(() => new EtcdRegistrar('localhost' as unknown as EtcdOptions)).toThrow(invalid());
  });
});

describe('what a registrar refuses to write', () => {
  it('is what no client could dial, or would read', async () => {
    await using registrar = new EtcdRegistrar({ hosts: '127.0.0.1:1' });
    const register =
      (address: string, more = {}) =>
      () =>
        registrar.register('s', { address, ...more });
    for (const address of ['0.0.0.0:80', '00.0.0.0:80', '[::]:80', '[::ffff:0.0.0.0]:80']) {
      expect(register(address)).toThrow(/every address of this machine/);
      expect(register(address)).toThrow(invalid('INVALID_ADDRESS'));
    }
    expect(register('unix:80')).toThrow(invalid('INVALID_ADDRESS'));
    const metadata = { filler: 'x'.repeat(2 ** 20) };
    expect(register('a:1', { metadata })).toThrow(/take 10486\d\d bytes, and no more than 1048576 are read/);
    expect(register('a:1', { weight: 1e308 })).toThrow(invalid());
  });

  it('is a weight or metadata in a value that has no room for them', async () => {
    await using registrar = new EtcdRegistrar({ hosts: '127.0.0.1:1', value: 'plain' });
    const message = 'a:1 has a weight or metadata, which a value of the form "plain" has no room for';
    expect(() => registrar.register('s', { address: 'a:1', weight: 2 })).toThrow(message);
    expect(() => registrar.register('s', { address: 'a:1', metadata: { zone: 'x' } })).toThrow(message);
    registrar.register('s', { address: 'a:1', weight: 1, metadata: {} });
  });
});

describe('the proxy of the environment', () => {
  const proxied = async (more: Partial<EtcdOptions>): Promise<string> => {
    const { grpc_proxy: before } = process.env;
    process.env.grpc_proxy = 'http://me:secret@127.0.0.1:9';
    try {
      await using registry = new EtcdRegistry({ hosts: '127.0.0.1:1', ...more });
      const follower = new Follower(registry, 's');
      await until('stale', () => follower.stale);
      await follower.stop();
      return inspect(follower.events, { depth: 20 });
    } finally {
      if (before === undefined) delete process.env.grpc_proxy;
      else process.env.grpc_proxy = before;
    }
  };

  it('is named where it fails, without who we are to it', async () => {
    const said = await proxied({});
    expect(said).toContain('the proxy 127.0.0.1:9 (grpc_proxy) may have failed');
    expect(said).not.toContain('secret');
  });

  it('is not used where it is not wanted', async () => {
    const said = await proxied({ httpProxy: false });
    expect(said).toContain('ECONNREFUSED 127.0.0.1:1');
    expect(said).not.toContain('127.0.0.1:9');
  });
});

describe('keys and values in etcd', () => {
  let etcd: EtcdProcess;
  let store: Store;
  beforeAll(async () => {
    etcd = await startEtcd();
    store = new Store(etcd.url);
  });
  afterAll(async () => {
    store.close();
    await etcd.close();
  });

  it.each<[Partial<EtcdOptions>, string, string, string]>([
    [{}, 'hello', '/etcdv3_resolver/hello/a:1', 'a:1'],
    [{ value: 'naming' }, 'hello-2', '/etcdv3_resolver/hello-2/a:1', '{"Op":0,"Addr":"a:1"}'],
    [{ prefix: '', leadingSlash: false, value: 'naming' }, 'my/svc', 'my/svc/a:1', '{"Op":0,"Addr":"a:1"}'],
    [{ prefix: '', leadingSlash: false, value: 'plain' }, 'greet.rpc', 'greet.rpc/a:1', 'a:1'],
    [{ prefix: '' }, 'rooted', '/rooted/a:1', 'a:1'],
  ])('by %j of %s', async (options, service, key, value) => {
    await using registry = new EtcdRegistry({ hosts: etcd.url, ...options });
    await using registrar = new EtcdRegistrar({ hosts: etcd.url, ...options });
    const registration = registrar.register(service, { address: 'a:1' });
    await registration.registered();
    expect(registration.id).toBe(key);
    expect(await store.etcd.get(key).string()).toBe(value);
    const follower = new Follower(registry, service);
    await until('found', () => follower.has('a:1'));
    await follower.stop();
  });
});
