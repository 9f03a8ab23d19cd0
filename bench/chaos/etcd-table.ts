import type { PoolSnapshot } from '../../src/balancer/pool/snapshot.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import type { Holding } from './gateway.js';

/** The value of a key that announces an address with attributes, as etcd's own Go naming package writes it. */
export function announcement(address: string, attributes: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ Op: 0, Addr: address, Metadata: attributes });
}

/**
 * The rows in which a pool's table is not what etcd holds, by address: missing, too many, or with other ids or
 * attributes. Rows that are unconfirmed or on their way out do not count.
 */
export function differences({ subchannels }: PoolSnapshot, holding: Holding): string[] {
  const wanted = rowsOf(holding);
  const wrong: string[] = [];
  for (const { endpoint, ids, state, unconfirmed } of subchannels) {
    if (unconfirmed || state.kind === 'draining') continue;
    if (wanted.get(endpoint.address) !== described(endpoint, ids)) wrong.push(endpoint.address);
    wanted.delete(endpoint.address);
  }
  return [...wrong, ...wanted.keys()];
}

/** What a table must hold, by address. Of several ids on one address the smallest has the say. */
function rowsOf({ entries }: Holding): Map<string, string> {
  const ids = new Map<string, string[]>();
  const first = new Map<string, Endpoint>();
  // etcd answers in the order of the keys.
  for (const { key, value } of entries) {
    const endpoint = read(key, value);
    const known = ids.get(endpoint.address);
    if (known !== undefined) {
      known.push(key);
      continue;
    }
    ids.set(endpoint.address, [key]);
    first.set(endpoint.address, endpoint);
  }
  return new Map([...first].map(([address, endpoint]) => [address, described(endpoint, ids.get(address)!)]));
}

function read(id: string, value: string): Endpoint {
  if (!value.startsWith('{')) return { id, address: value, weight: 1, metadata: {} };
  const { Addr, Metadata } = JSON.parse(value) as { Addr: string; Metadata: Record<string, unknown> };
  const { weight = 1, ...metadata } = Metadata;
  return { id, address: Addr, weight: weight as number, metadata: metadata as Record<string, string> };
}

function described({ id, address, weight, metadata }: Endpoint, ids: readonly string[]): string {
  return JSON.stringify([id, address, weight, Object.entries(metadata).sort(), ids]);
}
