// On a real kube-apiserver, where there is one ($KUBE_APISERVER, or PATH).
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { KubernetesRegistry } from '../../../src/registry/kubernetes/index.js';
import { Follower } from '../../../src/testing/follower.js';
import { describeRegistry } from '../../../src/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { SliceWriter } from '../../support/kube-api.js';
import { findKubeApiserver, KubeApiserver } from '../../support/kube-apiserver.js';
import { mappedRegistry } from '../../support/mapped-registry.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const there = findKubeApiserver() !== undefined;
if (!there) console.warn('skipped, a real kube-apiserver: none on PATH, and KUBE_APISERVER is not set');

describe.skipIf(!there)('a real kube-apiserver', () => {
  let server: KubeApiserver;
  beforeAll(async () => {
    server = await KubeApiserver.start();
  }, 120_000);
  afterAll(() => server?.close());

  // EndpointSlices refuse loopback addresses.
  const store = new Map([
    ['localhost', '10.99.0.1'],
    ['::1', '10.99.0.2'],
  ]);
  describeRegistry(
    'a registry of Kubernetes',
    async () => {
      const proxy = await TcpProxy.start(() => server.port);
      const registry = new KubernetesRegistry({ kubeconfig: server.kubeconfig(proxy.port) });
      const names = new Set<string>();
      const writer = new SliceWriter((slice, name) => {
        names.add(name);
        return slice === undefined ? server.remove(name) : server.put(slice);
      }, store);
      return {
        registry: mappedRegistry(
          registry,
          (name) => name,
          new Map([...store].map(([host, ip]) => [ip, host])),
        ),
        store: {
          put: (service, address) => writer.put(service, address),
          remove: (service, address) => writer.remove(service, address),
          disconnect: () => proxy.blackHole(),
          reconnect: () => proxy.heal(),
        },
        async close() {
          await registry.close();
          await proxy.close();
          for (const name of names) await server.remove(name);
        },
      };
    },
    { describe, it },
  );

  function follow(service: string, kubeconfig = server.kubeconfig()) {
    const registry = new KubernetesRegistry({ kubeconfig });
    const follower = new Follower(registry, service);
    onTestFinished(async () => {
      await follower.stop();
      await registry.close();
    });
    return follower;
  }

  it('tells what it has been told of conditions, zones and hints', async () => {
    await server.put({
      name: 'conditions-1',
      service: 'conditions',
      endpoints: [
        {
          addresses: ['10.99.0.1'],
          conditions: { ready: true },
          zone: 'eu-1a',
          nodeName: 'node-1',
          hints: { forZones: [{ name: 'eu-1a' }] },
        },
        { addresses: ['10.99.0.2'], conditions: { ready: false, serving: true, terminating: true } },
      ],
    });
    const follower = follow('conditions');
    await eventually('a snapshot', () => follower.events.length > 0);
    expect([...follower.table.values()]).toEqual([
      {
        id: 'default/conditions/10.99.0.1:50051',
        address: '10.99.0.1:50051',
        weight: 1,
        metadata: { authority: 'conditions.default.svc', zone: 'eu-1a', node: 'node-1', hints: 'eu-1a' },
      },
    ]);
  });

  it('says which right is missing', async () => {
    const follower = follow('conditions', server.kubeconfig(server.port, { token: server.powerless }));
    await eventually('a refusal', () => follower.stale);
    expect(follower.events[0]).toMatchObject({
      cause: {
        message: expect.stringMatching(
          /we may not list EndpointSlices in namespace default \(403\): .*nobody/,
        ),
      },
    });
  });

  it('gives the account of the manifest in the documentation what it needs', async () => {
    await server.apply(readFileSync('examples/kubernetes/rbac.yaml', 'utf8'));
    await server.put({ name: 'rbac-1', service: 'rbac', endpoints: [{ addresses: ['10.99.0.1'] }] });
    const token = await server.tokenOf('greeter-client');
    const follower = follow('rbac', server.kubeconfig(server.port, { token }));
    await eventually('an event', () => follower.events.length > 0);
    expect(follower.kinds).toBe('snapshot');
    await server.put({ name: 'rbac-1', service: 'rbac', endpoints: [{ addresses: ['10.99.0.2'] }] });
    await eventually('a change', () => follower.has('10.99.0.2:50051'));
  });

  it('is followed again after it was killed, with what has changed meanwhile', async () => {
    await server.put({ name: 'restart-1', service: 'restart', endpoints: [{ addresses: ['10.99.0.1'] }] });
    const follower = follow('restart');
    await eventually('a snapshot', () => follower.events.length > 0);
    await server.stop();
    await eventually('stale', () => follower.stale);
    await server.start();
    await server.put({ name: 'restart-1', service: 'restart', endpoints: [{ addresses: ['10.99.0.2'] }] });
    await eventually('the change', () => !follower.stale && follower.has('10.99.0.2:50051'));
    expect(follower.addresses).toEqual(['10.99.0.2:50051']);
  }, 120_000);
});
