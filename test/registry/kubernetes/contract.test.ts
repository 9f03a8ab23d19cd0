import { describe, it } from 'vitest';
import { KubernetesRegistry } from '../../../src/registry/kubernetes/index.js';
import { describeRegistry } from '../../../src/testing/index.js';
import { KubeApi, SliceWriter } from '../../support/kube-api.js';
import { mappedRegistry } from '../../support/mapped-registry.js';

const toStore = new Map([
  ['localhost', '10.99.0.1'],
  ['::1', 'fd00::1'],
]);
const toReader = new Map([...toStore].map(([reader, store]) => [store, reader]));

for (const protocol of ['h2', 'https', 'http'] as const) {
  describeRegistry(
    `a registry of Kubernetes over ${protocol}`,
    async () => {
      const api = await KubeApi.start(protocol);
      // One family of a service counts at a time, and the suite has both in one: two registries would be needed.
      const registry = new KubernetesRegistry({ kubeconfig: api.kubeconfig() });
      const writer = new SliceWriter(
        (slice, name) => (slice === undefined ? api.remove(name) : api.put(slice)),
        // So both are IPv4 in the store.
        new Map([...toStore].map(([reader]) => [reader, reader === '::1' ? '10.99.0.2' : '10.99.0.1'])),
      );
      return {
        registry: mappedRegistry(
          registry,
          (service) => service,
          new Map([...toReader, ['10.99.0.2', '::1']]),
        ),
        store: {
          put: (service, address) => writer.put(service, address),
          remove: (service, address) => writer.remove(service, address),
          disconnect: () => api.stop(),
          reconnect: () => api.listen(),
        },
        async close() {
          await registry.close();
          await api.close();
        },
      };
    },
    { describe, it },
  );
}
