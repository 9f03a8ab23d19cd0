import { AUTHORITY } from '../../base/authority.js';
import { type Endpoint, joinHostPort } from '../../base/endpoint.js';

/** One server as DNS tells it. */
export interface ServerRecord {
  /** An IP address. */
  readonly ip: string;
  readonly port: number;
  /** Of an SRV record (RFC 2782), whose weight its addresses share. */
  readonly srv?: { readonly target: string; readonly priority: number; readonly weight: number };
}

/**
 * The endpoints that records tell of, by address, in the order of their addresses.
 *
 * By RFC 2782 the servers of the lowest priority are asked first, and those of others only when none of them can be
 * reached. So those of others get weight 0, which is no picks while a server of weight is in the table. Among the lowest
 * weights count as they are, but that 0 counts as 1: with the weights of the others adding up to `w`, the RFC's own
 * choice gives such a record 1 of `w + 1`. The addresses of one target share its weight.
 */
export function endpointsOf(records: readonly ServerRecord[], authority: string): Endpoint[] {
  const lowest = records.reduce(
    (least, { srv }) => Math.min(least, srv?.priority ?? 0),
    Number.POSITIVE_INFINITY,
  );
  const byAddress = new Map<string, Endpoint>();
  for (const { ip, port, srv } of records) {
    const address = joinHostPort(ip, port);
    const known = byAddress.get(address);
    if (srv === undefined) {
      byAddress.set(address, { id: address, address, weight: 1, metadata: { [AUTHORITY]: authority } });
      continue;
    }
    const { priority, target } = srv;
    const weight = priority === lowest ? srv.weight : 0;
    const before = known === undefined ? Number.POSITIVE_INFINITY : Number(known.metadata.priority);
    // The same server twice: of two priorities the first counts, of one their weights together.
    if (before < priority) continue;
    byAddress.set(address, {
      id: address,
      address,
      weight: before === priority ? known!.weight + weight : weight,
      metadata: { [AUTHORITY]: authority, target, priority: String(priority) },
    });
  }
  return [...byAddress.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** What one of `addresses` has of the weight of its SRV record. */
export function shareOf(weight: number, addresses: number): number {
  return Math.max(1, weight) / addresses;
}

/** An address that no server can have: nowhere in particular. Filters that block a name answer so. */
export function isUnspecified(ip: string): boolean {
  return /^[0:.]+$/.test(ip);
}
