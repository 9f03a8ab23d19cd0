import { type Endpoint, type EndpointInit, endpointFrom } from '../base/endpoint.js';
import { BalancerError } from '../base/errors.js';
import type { Registry, RegistryEvent } from './registry.js';

/**
 * A registry of endpoints that are known beforehand: every service has these, for ever.
 *
 * @param endpoints - `host:port`, `unix:path`, or either with attributes.
 * @throws BalancerError INVALID_ADDRESS or INVALID_OPTION for an endpoint that cannot be, or is there twice.
 */
export function staticRegistry(endpoints: readonly (string | EndpointInit)[]): Registry {
  const byAddress = new Map<string, Endpoint>();
  for (const entry of endpoints) {
    const init = typeof entry === 'string' ? { address: entry } : entry;
    if (byAddress.has(init.address)) {
      throw new BalancerError('INVALID_OPTION', `endpoint ${init.address} is in the list twice`);
    }
    byAddress.set(init.address, endpointFrom(init, init.address, { allowUnix: true }));
  }
  const snapshot: RegistryEvent = { kind: 'snapshot', endpoints: [...byAddress.values()] };
  return {
    async *watch(_service, signal) {
      if (signal.aborted) return;
      yield snapshot;
      if (signal.aborted) return;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  };
}
