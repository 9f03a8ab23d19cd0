// On a scripted API server: what it may do to a watch, on purpose or not.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { type KubernetesOptions, KubernetesRegistry } from '../../../src/registry/kubernetes/index.js';
import { Follower } from '../../../src/testing/follower.js';
import { eventually } from '../../support/eventually.js';
import { KubeApi, line, refuse, type SliceInit } from '../../support/kube-api.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const slice = (name: string, ...ips: string[]): SliceInit => ({
  name,
  service: 'greeter',
  endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
});

interface StageOptions extends Partial<KubernetesOptions> {
  readonly protocol?: 'h2' | 'https' | 'http';
  readonly service?: string;
  /** Before anybody watches. */
  readonly prepare?: (api: KubeApi) => void;
  readonly user?: (api: KubeApi) => Record<string, unknown>;
}

/** A reader of `greeter`, which is at 10.0.0.1, behind a network that can fail. */
async function stage({ protocol, service = 'greeter', prepare, user, ...options }: StageOptions = {}) {
  const api = await KubeApi.start(protocol);
  const proxy = await TcpProxy.start(() => api.port);
  api.put(slice('one', '10.0.0.1'));
  prepare?.(api);
  const warnings: string[] = [];
  const kubeconfig = api.kubeconfig(proxy.port, user?.(api));
  const logger = { info() {}, warn: (text: string) => void warnings.push(text) };
  const registry = new KubernetesRegistry({ kubeconfig, logger, ...options });
  const follower = new Follower(registry, service);
  onTestFinished(async () => {
    await follower.stop();
    await registry.close();
    await proxy.close();
    await api.close();
  });
  await eventually('an event', () => follower.events.length > 0);
  return { api, proxy, registry, follower, warnings };
}

const now = (follower: Follower) => follower.addresses.join(' ');

describe('a watch of Kubernetes', () => {
  it('follows several slices, their pods and their conditions', async () => {
    const { api, follower } = await stage();
    expect(now(follower)).toBe('10.0.0.1:50051');
    api.put(slice('two', '10.0.0.2', '10.0.0.3'));
    await eventually('the second slice', () => follower.table.size === 3);
    const draining = {
      addresses: ['10.0.0.2'],
      conditions: { ready: false, serving: true, terminating: true },
    };
    api.put({ ...slice('two'), endpoints: [draining, { addresses: ['10.0.0.3'] }] });
    await eventually(
      'a pod that terminates is gone',
      () => now(follower) === '10.0.0.1:50051 10.0.0.3:50051',
    );
    api.remove('one');
    await eventually('a slice is gone', () => now(follower) === '10.0.0.3:50051');
    expect(follower.count('stale')).toBe(0);
    expect(api.requests).toEqual(['list', 'watch']);
    const [list, watch] = api.queries as [URLSearchParams, URLSearchParams];
    expect(list.get('labelSelector')).toBe('kubernetes.io/service-name=greeter');
    expect(list.has('resourceVersion'), 'the newest, not what a cache has').toBe(false);
    expect(watch.get('resourceVersion')).toBe('101');
    expect(watch.get('allowWatchBookmarks')).toBe('true');
    expect(Number(watch.get('timeoutSeconds'))).toBeGreaterThanOrEqual(120);
  });

  it('reads a big service page by page', async () => {
    const { api, follower } = await stage({
      prepare: (api) => {
        for (let i = 0; i < 600; i++) api.put(slice(`s${i}`, `10.1.${i >> 8}.${i & 255}`));
      },
    });
    expect(follower.table.size).toBe(601);
    expect(api.requests).toEqual(['list', 'list continue=250', 'list continue=500', 'watch']);
  });

  it('is not told before there is a watch that goes on from it', async () => {
    const { follower } = await stage({
      prepare: (api) => {
        api.script = (url, response) => {
          if (!url.searchParams.has('watch')) return undefined;
          refuse(response, 403, 'cannot watch resource "endpointslices"');
          return 'done';
        };
      },
    });
    expect(follower.kinds).toBe('stale');
    expect(follower.events[0]).toMatchObject({
      cause: { message: expect.stringMatching(/we may not watch .*default \(403\).*\["discovery.k8s.io"\]/) },
    });
  });

  it('goes on from its last bookmark when its time is over', async () => {
    const { api, follower } = await stage({
      prepare: (api) => {
        api.watchSeconds = 0.6;
      },
    });
    api.put({ ...slice('other', '10.9.9.9'), service: 'neighbour' });
    api.compacted = api.revision;
    await eventually('three watches', () => api.requests.length >= 4);
    expect(api.requests.slice(0, 4)).toEqual(['list', 'watch', 'watch', 'watch']);
    expect(api.queries[2]!.get('resourceVersion'), 'of the bookmark').toBe('102');
    api.put(slice('two', '10.0.0.2'));
    await eventually('a change', () => follower.table.size === 2);
    expect(follower.kinds).toBe('snapshot changes');
  });

  it('moves to another server when this one is to be stopped', async () => {
    // A watch that ends as soon as it began would be a fault, so this one is old.
    let skew = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + skew };
    const { api, follower } = await stage({ clock });
    await eventually('a watch', () => api.watching === 1);
    skew = 1_000;
    api.goAway();
    api.put(slice('zero', '10.0.0.9'));
    await eventually('its last words', () => follower.table.size === 2);
    expect(api.requests).toEqual(['list', 'watch']);
    api.endWatches();
    await eventually('another watch', () => api.requests.length === 3 && api.watching === 1);
    expect(api.requests).toEqual(['list', 'watch', 'watch']);
    api.put(slice('two', '10.0.0.2'));
    await eventually('a change', () => follower.table.size === 3);
    expect(follower.kinds).toBe('snapshot changes changes');
  });

  it.each(['h2', 'https', 'http'] as const)('over %s that is cut has not ended', async (protocol) => {
    let skew = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + skew };
    const { api, follower } = await stage({ protocol, clock });
    await eventually('a watch', () => api.watching === 1);
    skew = 1_000;
    api.cut();
    await eventually('current again', () => follower.kinds === 'snapshot stale snapshot');
    expect(api.requests).toEqual(['list', 'watch', 'list', 'watch']);
  });

  it.each<[string, (api: KubeApi) => void]>([
    ['is cut off', (api) => api.cut()],
    [
      'is cut off in the midst of an event',
      (api) => {
        api.send('{"type":"ADDED","obj');
        setTimeout(() => api.cut(), 50);
      },
    ],
    [
      'ends in the midst of an event',
      (api) => {
        api.send('{"type":"ADDED","obj');
        api.endWatches();
      },
    ],
    ['is garbage', (api) => api.send('<html>\n')],
    ['is JSON of no event', (api) => api.send('null\n')],
    ['is an event of no object', (api) => api.send(line('ADDED', null))],
    ['is an event of no name', (api) => api.send(line('ADDED', { metadata: { resourceVersion: '7' } }))],
    [
      'is an event of an unknown kind',
      (api) => api.send(line('TURNED', { metadata: { resourceVersion: '7' } })),
    ],
    ['is an event of no revision', (api) => api.send(line('BOOKMARK', { metadata: {} }))],
    ['fails', (api) => api.send(line('ERROR', { code: 500, message: 'etcdserver: no leader' }))],
    ['has forgotten our revision', (api) => api.send(line('ERROR', { code: 410, message: 'too old' }))],
    [
      'is an event without an end',
      (api) => {
        for (let i = 0; i < 20; i++) api.send('x'.repeat(1024 * 1024));
      },
    ],
  ])('is stale, and begins anew with a list, when it %s', async (_, fault) => {
    const { api, follower } = await stage();
    fault(api);
    await eventually('current again', () => follower.kinds.endsWith('stale snapshot'));
    expect(follower.kinds).toBe('snapshot stale snapshot');
    expect(follower.events[1]).toMatchObject({ cause: { code: 'REGISTRY_UNAVAILABLE' } });
    api.put(slice('two', '10.0.0.2'));
    await eventually('a change', () => follower.table.size === 2);
  });

  it.each<[string, number, string, RegExp]>([
    ['401', 401, 'Unauthorized', /does not know us \(401\): Unauthorized; the token has expired/],
    [
      '403',
      403,
      'forbidden',
      /we may not list EndpointSlices in namespace default \(403\): forbidden; bind a Role/,
    ],
    ['404', 404, '', /no discovery.k8s.io\/v1 \(404\)/],
    ['410', 410, 'expired', /forgotten the revision.* \(410\): expired/],
    ['429', 429, 'too many', /answered 429: too many/],
    ['500', 500, 'x'.repeat(10_000), /answered 500: x{300}$/],
  ])('says what is wrong, and what helps, with a list that is %s', async (_, code, said, why) => {
    let broken = true;
    const { follower, warnings } = await stage({
      prepare: (api) => {
        api.script = (_, response) => {
          if (!broken) return undefined;
          refuse(response, code, said);
          return 'done';
        };
      },
    });
    expect(follower.kinds).toBe('stale');
    expect(follower.events[0]).toMatchObject({ cause: { message: expect.stringMatching(why) } });
    expect(warnings).toHaveLength(1);
    broken = false;
    await eventually('current', () => follower.kinds === 'stale snapshot');
  });

  it.each<[string, string]>([
    ['garbage', '<html>'],
    ['null', 'null'],
    ['no list', '{"kind":"Pod"}'],
    ['of no array', '{"metadata":{"resourceVersion":"1"},"items":{}}'],
    ['of pages without an end', '{"metadata":{"resourceVersion":"1","continue":"again"},"items":[]}'],
  ])('believes no list that is %s', async (_, body) => {
    const { follower } = await stage({
      prepare: (api) => {
        api.script = (_, response) => {
          response.end(body);
          return 'done';
        };
      },
    });
    expect(follower.kinds).toBe('stale');
  });

  it('skips what makes no sense in a list, and says so once', async () => {
    const { api, follower, warnings } = await stage({
      prepare: (api) => api.put({ ...slice('odd', 'nowhere'), ports: [{ name: 'grpc', port: 50051 }] }),
    });
    expect(now(follower)).toBe('10.0.0.1:50051');
    api.put(slice('two', '10.0.0.2'));
    await eventually('a change', () => follower.table.size === 2);
    expect(warnings).toEqual(['greeter: EndpointSlice odd: 1 endpoints have no IPv4 address']);
  });

  it('says that there is no such Service, and waits for it', async () => {
    const { api, follower, warnings } = await stage({ service: 'greter' });
    expect(follower.events).toEqual([{ kind: 'snapshot', endpoints: [] }]);
    expect(warnings).toEqual([
      expect.stringMatching(/no EndpointSlice of a Service greter; is that its name\?/),
    ]);
    api.put({ ...slice('late', '10.0.0.5'), service: 'greter' });
    await eventually('it', () => now(follower) === '10.0.0.5:50051');
  });

  it('is stale, not empty, while no pod has the port that is asked for', async () => {
    const { api, follower } = await stage({ service: 'greeter:web' });
    expect(follower.kinds).toBe('stale');
    expect(follower.events[0]).toMatchObject({
      cause: {
        message: expect.stringMatching(
          /no pod of greeter:web can be called: .*no port named "web", but grpc \(50051\)/,
        ),
      },
    });
    api.put({ ...slice('one', '10.0.0.1'), ports: [{ name: 'web', port: 80 }] });
    await eventually('a port', () => follower.kinds === 'stale snapshot');
    api.put(slice('one', '10.0.0.1'));
    await eventually('no port again', () => follower.stale);
    expect(now(follower), 'the table is as it was').toBe('10.0.0.1:80');
  });

  it('prefers IPv4 of a service that has both, unless IPv6 is asked for', async () => {
    const six: SliceInit = { ...slice('six', 'fd00::1'), addressType: 'IPv6' };
    const { api, follower } = await stage({ prepare: (api) => api.put(six) });
    expect(now(follower)).toBe('10.0.0.1:50051');
    api.remove('one');
    await eventually('IPv6 alone is left', () => now(follower) === '[fd00::1]:50051');
    api.put(slice('one', '10.0.0.1'));
    await eventually('IPv4 again', () => now(follower) === '10.0.0.1:50051');
    const only = await stage({ family: 6, prepare: (api) => api.put(six) });
    expect(now(only.follower)).toBe('[fd00::1]:50051');
  });

  it.each(['h2', 'https', 'http'] as const)(
    'notices a network that swallows everything, over %s',
    async (protocol) => {
      const { api, proxy, follower } = await stage({ protocol, requestTimeoutMs: 2_000 });
      await eventually('a watch', () => api.watching === 1);
      proxy.blackHole();
      await eventually('stale', () => follower.stale);
      expect(now(follower)).toBe('10.0.0.1:50051');
      api.put(slice('two', '10.0.0.2'));
      proxy.heal();
      await eventually('current again', () => !follower.stale);
      expect(follower.table.size).toBe(2);
      expect(follower.kinds).toBe('snapshot stale snapshot');
    },
  );

  it.each([
    ['h2', '2.0'],
    ['https', '1.1'],
    ['http', '1.1'],
  ] as const)('over %s speaks HTTP/%s', async (protocol, version) => {
    const { api } = await stage({ protocol });
    expect([...api.versions]).toEqual([version]);
  });

  it('takes a new token from its file, when the old one is not good any more', async () => {
    const { api, follower, warnings } = await stage({
      user: (api) => {
        writeFileSync(join(api.directory, 'token'), 'good\n');
        return { tokenFile: 'token' };
      },
    });
    api.token = 'better';
    api.cut();
    await eventually('stale', () => follower.stale);
    await eventually('a refusal', () => api.requests.length > 2);
    writeFileSync(join(api.directory, 'token'), 'better\n');
    await eventually('current again', () => !follower.stale);
    expect(warnings).toHaveLength(1);
    expect(warnings.join()).not.toMatch(/good|better/);
  });

  it('asks a function for its token, each time', async () => {
    let asked = 0;
    const { api, follower } = await stage({ token: async () => (++asked > 0 ? 'good' : '') });
    expect(follower.kinds).toBe('snapshot');
    expect(asked).toBe(api.requests.length);
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('no token today');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no token today'))],
    ['returns what no header can carry', () => 'a\r\nb: c'],
    ['returns no string', () => undefined as never],
  ])('is stale when that function %s', async (_, token) => {
    const { follower } = await stage({ token });
    expect(follower.kinds).toBe('stale');
  });

  it('lets go of everything when it ends, in the midst of whatever', async () => {
    const { api, follower, registry } = await stage();
    await eventually('a watch', () => api.watching === 1);
    await follower.stop();
    await registry.close();
    await eventually('no connection is left', () => api.connections === 0);
  });
});
