import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { inClusterConfig } from '../../../src/registry/kubernetes/cluster.js';
import { KubernetesRegistry } from '../../../src/registry/kubernetes/index.js';
import { kubeconfigCluster } from '../../../src/registry/kubernetes/kubeconfig.js';

const directory = mkdtempSync(join(tmpdir(), 'evenkeel-kubeconfig-'));
afterAll(() => rmSync(directory, { recursive: true }));

const SECRET = 'a-secret-that-no-message-may-hold';
const content = (change: { user?: object; cluster?: object } = {}) => ({
  'current-context': 'one',
  contexts: [
    { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'prod' } },
    { name: 'two', context: { cluster: 'd', user: '' } },
  ],
  clusters: [
    {
      name: 'c',
      cluster: { server: 'https://k8s.example:6443', 'certificate-authority': 'ca.crt', ...change.cluster },
    },
    { name: 'd', cluster: { server: 'http://127.0.0.1:8001/base', 'insecure-skip-tls-verify': true } },
  ],
  users: [{ name: 'u', user: change.user ?? { token: SECRET } }],
});
const file = (content: unknown, path = '/home/me/.kube/config') => ({
  path,
  directory: '/home/me/.kube',
  content,
});

describe('a kubeconfig', () => {
  it('tells the cluster of its current context, and of others', () => {
    expect(kubeconfigCluster([file(content())], undefined)).toEqual({
      server: new URL('https://k8s.example:6443'),
      namespace: 'prod',
      ca: { kind: 'file', path: '/home/me/.kube/ca.crt' },
      cert: undefined,
      key: undefined,
      token: { kind: 'inline', value: Buffer.from(SECRET) },
      serverName: undefined,
      insecure: false,
    });
    expect(kubeconfigCluster([file(content())], 'two')).toMatchObject({
      server: new URL('http://127.0.0.1:8001/base'),
      namespace: undefined,
      token: undefined,
      insecure: true,
    });
  });

  it('has certificates and keys, inline or in files', () => {
    const user = {
      'client-certificate-data': Buffer.from('cert').toString('base64'),
      'client-key': '/keys/key.pem',
      tokenFile: 'token',
    };
    const cluster = {
      'certificate-authority-data': Buffer.from('ca').toString('base64'),
      'tls-server-name': 'inside',
    };
    expect(kubeconfigCluster([file(content({ user, cluster }))], undefined)).toMatchObject({
      ca: { kind: 'inline', value: Buffer.from('ca') },
      cert: { kind: 'inline', value: Buffer.from('cert') },
      key: { kind: 'file', path: '/keys/key.pem' },
      token: { kind: 'file', path: '/home/me/.kube/token' },
      serverName: 'inside',
    });
  });

  it('may be several files, of which the first counts', () => {
    const first = { 'current-context': 'two', users: [{ name: 'u', user: { token: 'first' } }] };
    const both = [file(first, '/first'), file(content())];
    expect(kubeconfigCluster(both, undefined).server.host).toBe('127.0.0.1:8001');
    expect(kubeconfigCluster(both, 'one').token).toEqual({ kind: 'inline', value: Buffer.from('first') });
  });

  it.each([
    [{}, /no current-context/],
    [{ ...content(), 'current-context': 'three' }, /no context "three"/],
    [{ ...content(), clusters: null }, /no cluster "c"/],
    [{ ...content(), users: [] }, /no user "u"/],
    [
      content({ user: { exec: { command: 'aws' }, token: SECRET } }),
      /user "u" has an exec plugin.*give `token`/,
    ],
    [content({ user: { 'auth-provider': { name: 'gcp' } } }), /auth-provider/],
    [content({ user: { username: 'me', password: SECRET } }), /password/],
    [content({ user: { as: 'root' } }), /impersonation/],
    [content({ cluster: { 'proxy-url': 'socks5://x' } }), /proxy-url/],
    [content({ cluster: { server: 'ftp://x' } }), /no URL of http/],
    [content({ cluster: { server: 7 } }), /no URL of http/],
    [
      content({ cluster: { 'certificate-authority-data': '%%%' } }),
      /certificate-authority-data is not base64/,
    ],
    [content({ user: { 'client-key': 7 } }), /client-key is not a path/],
    ['nonsense', /no current-context/],
  ])('is refused, by what is wrong with it: %#', (content, why) => {
    const read = () => kubeconfigCluster([file(content)], undefined);
    expect(read).toThrow(why);
    expect(read).toThrow(/^kubeconfig \/home\/me\/\.kube\/config: /);
    expect(read).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(read).not.toThrow(SECRET);
  });

  it('may have an exec plugin where a token is given', () => {
    const token = () => 'mine';
    const files = [file(content({ user: { exec: { command: 'aws' } } }))];
    expect(kubeconfigCluster(files, undefined, token).token).toBe(token);
  });

  it('is read or refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), fc.option(fc.string(), { nil: undefined }), (content, context) => {
        try {
          kubeconfigCluster([file(content)], context);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_OPTION' });
        }
      }),
    );
  });

  it('is YAML or JSON', async () => {
    const json = join(directory, 'json');
    writeFileSync(json, JSON.stringify(content()));
    const yaml = join(directory, 'yaml');
    writeFileSync(
      yaml,
      `current-context: one\ncontexts:\n- name: one\n  context: {cluster: c, user: u}\nclusters:\n- name: c\n  cluster:\n    server: https://k8s.example\nusers:\n- name: u\n  user: {token: x}\n`,
    );
    for (const kubeconfig of [json, yaml]) await new KubernetesRegistry({ kubeconfig }).close();
  });

  it('is named when it is missing, or broken, without a word of what it holds', () => {
    const missing = join(directory, 'missing');
    expect(() => new KubernetesRegistry({ kubeconfig: missing })).toThrow(`kubeconfig ${missing}: ENOENT`);
    const broken = join(directory, 'broken');
    writeFileSync(broken, `users:\n- name: u\n  user: {token: ${SECRET}\n`);
    const make = () => new KubernetesRegistry({ kubeconfig: broken });
    expect(make).toThrow(/broken: it is not YAML/);
    expect(make).not.toThrow(SECRET);
  });
});

describe('the configuration of a pod', () => {
  it('is of its environment and its service account', () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' };
    expect(inClusterConfig(env, '/sa')).toMatchObject({
      server: new URL('https://10.0.0.1:6443'),
      ca: { kind: 'file', path: '/sa/ca.crt' },
      token: { kind: 'file', path: '/sa/token' },
    });
    expect(inClusterConfig({ KUBERNETES_SERVICE_HOST: 'fd00::1' })?.server.href).toBe('https://[fd00::1]/');
    expect(inClusterConfig({})).toBeUndefined();
  });
});

describe('the options of a registry of Kubernetes', () => {
  const kubeconfig = join(directory, 'good');
  writeFileSync(kubeconfig, JSON.stringify(content()));

  it.each([
    [{ port: 0 }, /port 0/],
    [{ family: 7 as never }, /family is 7/],
    [{ token: 'text' as never }, /token is not a function/],
    [{ context: 'none' }, /no context "none"/],
    [{ connectTimeoutMs: 0 }, /connectTimeoutMs is 0/],
    [{ contxt: 'a' } as never, /did you mean context/],
  ])('are checked: %j', (options: object, why) => {
    expect(() => new KubernetesRegistry({ kubeconfig, ...options })).toThrow(why);
  });

  it('do not take a service that cannot be', async () => {
    const registry = new KubernetesRegistry({ kubeconfig });
    expect(() => registry.watch('Not a Service', AbortSignal.abort())).toThrow(/is not \[namespace\/\]name/);
    await registry.close();
    expect(() => registry.watch('greeter', AbortSignal.abort())).toThrow(
      expect.objectContaining({ code: 'CLOSED' }),
    );
  });
});
