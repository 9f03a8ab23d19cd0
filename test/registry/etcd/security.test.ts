// TLS, client certificates, users and their expiring tokens, on real etcds; and no secret in any log or error.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import type { EtcdOptions } from '../../../src/registry/etcd/settings.js';
import { Follower } from '../../../src/testing/follower.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Store } from './store.js';
import { until } from './until.js';

const PASSWORD = 'correct horse battery staple';
const file = (name: string) => new URL(`../../fixtures/tls/${name}`, import.meta.url).pathname;
const pem = (name: string) => readFileSync(file(name));
const tls = { ca: pem('ca.pem'), cert: pem('client.pem'), key: pem('client-key.pem') };
const tlsArgs = [`--cert-file=${file('server.pem')}`, `--key-file=${file('server-key.pem')}`];

/** A registry and a registrar of the same options, and all that they said. */
async function withPair(
  options: EtcdOptions,
  use: (pair: { follower: Follower; registrar: EtcdRegistrar; said: () => string }) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const registry = new EtcdRegistry({ ...options, logger });
  const registrar = new EtcdRegistrar({ ...options, logger });
  const follower = new Follower(registry, 's');
  const said = () => `${lines.join('\n')}\n${inspect(follower.events, { depth: 20 })}`;
  try {
    await use({ follower, registrar, said });
    expect(said()).not.toContain(PASSWORD);
    for (const shown of [registry, registrar]) {
      expect(inspect(shown, { depth: 20, showHidden: true })).not.toContain(PASSWORD);
    }
  } finally {
    await follower.stop();
    await Promise.all([registry.close(), registrar.close()]);
  }
}

async function registers({ follower, registrar }: { follower: Follower; registrar: EtcdRegistrar }) {
  const registration = registrar.register('s', { address: 'localhost:1' }, { ttlSeconds: 6 });
  await until('found', () => follower.has('localhost:1'));
  return registration;
}

describe('TLS', () => {
  it('speaks it, and is known by its certificate', async () => {
    await using etcd = await startEtcd({
      scheme: 'https',
      args: [...tlsArgs, '--client-cert-auth', `--trusted-ca-file=${file('ca.pem')}`],
    });
    await withPair({ hosts: etcd.url, tls }, async (pair) => {
      await registers(pair);
    });
    await withPair({ hosts: `127.0.0.1:${etcd.port}`, tls }, async (pair) => {
      await registers(pair);
    });
    // Without a certificate of ours, and without trust in theirs.
    for (const less of [{ tls: { ca: tls.ca } }, {}]) {
      await withPair({ hosts: etcd.url, ...less }, async ({ follower }) => {
        await until('stale', () => follower.stale);
        await delay(300);
        expect(follower.kinds).toBe('stale');
      });
    }
  });

  it('refuses options that cannot be, by name and without their content', () => {
    const bad = (options: EtcdOptions) => () => new EtcdRegistry(options);
    expect(bad({ hosts: 'http://a:1', tls })).toThrow('tls is given, and etcd host http://a:1 is not https');
    expect(bad({ hosts: 'a', tls: { cert: tls.cert } })).toThrow('tls.cert and tls.key are given together');
    const noKey = { ...tls, key: Buffer.from('no key at all') };
    expect(bad({ hosts: 'a', tls: noKey })).toThrow(/^tls: (?!.*no key at all)/);
    expect(() => new EtcdRegistrar({ hosts: 'a', tls: noKey })).toThrow(/^tls: /);
    expect(bad({ hosts: 'a', requestTimeoutMs: 0 })).toThrow(
      'requestTimeoutMs is 0, and must be a number from 1 to 600000',
    );
  });
});

describe.concurrent('users', () => {
  const root = { username: 'root', password: PASSWORD };
  const auth = { username: 'app', password: PASSWORD };

  async function enableAuth(etcd: EtcdProcess): Promise<Store> {
    const open = new Store(etcd.url);
    const { auth: admin } = open.etcd;
    for (const [name, permitted] of [
      ['root', '/'],
      ['app', '/etcdv3_resolver/'],
    ] as const) {
      await admin.roleAdd({ name });
      const key = Buffer.from(permitted);
      const range_end = Buffer.from(`${permitted.slice(0, -1)}0`);
      await admin.roleGrantPermission({ name, perm: { permType: 'Readwrite', key, range_end } });
      await admin.userAdd({ name, password: PASSWORD } as never);
      await admin.userGrantRole({ user: name, role: name });
    }
    await admin.authEnable();
    open.close();
    return new Store(etcd.url, { auth: root });
  }

  it('goes on with a new token when the old one has expired: registry, through cuts, and registrar', async () => {
    await using etcd = await startEtcd({ args: ['--auth-token-ttl=1'] });
    const store = await enableAuth(etcd);
    await using proxy = await TcpProxy.start(() => etcd.port);
    await withPair({ hosts: proxy.url, auth }, async ({ follower, registrar, said }) => {
      const registration = await registers({ follower, registrar });
      for (let round = 0; round < 2; round++) {
        await delay(2_500);
        proxy.cut();
        await until('stale', () => follower.count('stale') > round);
        await until('current', () => !follower.stale, 3_500);
      }
      await store.put('s', 'localhost:2');
      await until('a change', () => follower.has('localhost:2'));
      expect(registration.state.kind).toBe('registered');
      expect(said()).not.toMatch(/token|announced/);
    });
    store.close();
  });

  it('goes on when etcd restarts, and knows none of its tokens', async () => {
    await using etcd = await startEtcd();
    const store = await enableAuth(etcd);
    await withPair({ hosts: etcd.url, auth }, async ({ follower, registrar }) => {
      const registration = await registers({ follower, registrar });
      await etcd.restart();
      await until('stale', () => follower.count('stale') === 1);
      await until('current', () => !follower.stale, 3_500);
      await registration.close();
      await until('gone', () => !follower.has('localhost:1'));
    });
    store.close();
  });

  it('needs no users: a user is no harm where auth is off, and does when it is switched on', async () => {
    await using etcd = await startEtcd();
    await withPair({ hosts: etcd.url, auth }, async ({ follower, registrar }) => {
      const registration = await registers({ follower, registrar });
      const store = await enableAuth(etcd);
      await delay(3_000);
      expect(registration.state.kind).toBe('registered');
      const { kvs } = await store.etcd.get(registration.id).exec();
      expect(kvs).toHaveLength(1);
      store.close();
    });
  });

  it('says why it cannot get in', async () => {
    await using etcd = await startEtcd();
    const store = await enableAuth(etcd);
    const wrong = { username: 'app', password: `${PASSWORD}!` };
    await withPair({ hosts: etcd.url, auth: wrong }, async ({ follower, registrar, said }) => {
      const registration = registrar.register('s', { address: 'localhost:1' });
      await until('reasons', () => follower.stale && 'cause' in registration.state);
      expect(inspect(registration.state)).toMatch(/invalid user ID or password/);
      expect(said()).toMatch(/invalid user ID or password/);
    });
    await withPair({ hosts: etcd.url }, async ({ follower, said }) => {
      await until('stale', () => follower.stale);
      expect(said()).toMatch(/user name is empty/);
    });
    await withPair({ hosts: etcd.url, auth, prefix: 'forbidden' }, async ({ follower, said }) => {
      await until('stale', () => follower.stale);
      expect(said()).toMatch(/permission denied/);
    });
    store.close();
  });
});
