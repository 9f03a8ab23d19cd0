import { joinHostPort, splitHostPort } from '../../src/base/endpoint.js';
import type { Registry, RegistryEvent } from '../../src/registry/registry.js';

/**
 * A registry whose services and hosts have other names for its readers: real stores take neither every name nor a
 * loopback address.
 *
 * @param hosts - by the host that the store has, the one that readers see.
 */
export function mappedRegistry(
  registry: Registry,
  service: (name: string) => string,
  hosts: ReadonlyMap<string, string>,
): Registry {
  const map = (address: string) => {
    const { host, port } = splitHostPort(address)!;
    return joinHostPort(hosts.get(host) ?? host, port);
  };
  return {
    async *watch(name, signal) {
      for await (const event of registry.watch(service(name), signal)) yield mapped(event, map);
    },
    refresh: (name) => registry.refresh?.(service(name)),
  };
}

function mapped(event: RegistryEvent, map: (address: string) => string): RegistryEvent {
  if (event.kind === 'stale') return event;
  const endpoints = event.kind === 'snapshot' ? event.endpoints : event.put;
  const seen = endpoints.map((endpoint) => ({ ...endpoint, address: map(endpoint.address) }));
  return event.kind === 'snapshot' ? { ...event, endpoints: seen } : { ...event, put: seen };
}
