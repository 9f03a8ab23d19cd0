import { type Endpoint, isWeight, WEIGHTS } from '../../base/endpoint.js';
import { asError, BalancerError } from '../../base/errors.js';
import type { RegistryEvent } from '../../registry/registry.js';

/** Longer than any host and port, or path of a socket. */
const MOST_ADDRESS = 1_024;

/**
 * What a registry yields, as far as it can be used: a registry may be anybody's, and one endpoint that is none must not cost
 * the others. `complain` hears in one line what was left out.
 *
 * @throws BalancerError REGISTRY_UNAVAILABLE for what is no event at all.
 */
export function usableEvent(event: RegistryEvent, complain: (line: string) => void): RegistryEvent {
  switch (event?.kind) {
    case 'snapshot': {
      const endpoints = usable(list(event.endpoints, 'endpoints of a snapshot'), complain);
      const { preferred } = event;
      if (typeof preferred !== 'number' || endpoints.length === event.endpoints.length) {
        return { ...event, endpoints };
      }
      // Of those that are preferred, some may have been left out.
      const first = new Set(event.endpoints.slice(0, preferred));
      return { ...event, endpoints, preferred: endpoints.filter((endpoint) => first.has(endpoint)).length };
    }
    case 'changes': {
      const removed = list(event.removed, 'removed ids').filter((id) => typeof id === 'string');
      return { kind: 'changes', put: usable(list(event.put, 'endpoints put'), complain), removed };
    }
    case 'stale':
      return { kind: 'stale', cause: asError(event.cause) };
    default:
      throw noEvent(`${typeof event === 'object' ? JSON.stringify(Object.keys(event ?? {})) : typeof event}`);
  }
}

function list<T>(value: readonly T[], what: string): readonly T[] {
  if (Array.isArray(value)) return value;
  throw noEvent(`${what} that are no array`);
}

function noEvent(what: string): BalancerError {
  return new BalancerError(
    'REGISTRY_UNAVAILABLE',
    `the registry yielded ${what}, which is no snapshot, changes or stale`,
  );
}

function usable(endpoints: readonly Endpoint[], complain: (line: string) => void): readonly Endpoint[] {
  let first: string | undefined;
  let unusable = 0;
  const good = endpoints.filter((endpoint) => {
    const why = whyNot(endpoint);
    if (why === undefined) return true;
    first ??= why;
    unusable++;
    return false;
  });
  if (first === undefined) return endpoints;
  const others = unusable === 1 ? '' : `, and ${unusable - 1} others`;
  complain(`the registry announces an endpoint that cannot be used: ${first}${others}`);
  return good;
}

function whyNot(endpoint: Endpoint): string | undefined {
  if (typeof endpoint !== 'object' || endpoint === null) return `${typeof endpoint} is no endpoint`;
  const { id, address, weight, metadata } = endpoint;
  if (typeof id !== 'string' || id === '') return 'its id is no text';
  if (typeof address !== 'string' || address === '' || address.length > MOST_ADDRESS) {
    return `${shown(id)} has no address`;
  }
  if (!isWeight(weight)) return `${shown(id)} has a weight that is not ${WEIGHTS}`;
  if (typeof metadata !== 'object' || metadata === null) return `${shown(id)} has no metadata, not even {}`;
  return undefined;
}

function shown(id: string): string {
  return JSON.stringify(id.slice(0, 100));
}
