import type { Endpoint } from '../../base/endpoint.js';
import type { SubchannelState } from '../table/state.js';
import type { Table } from '../table/table.js';

/** How well the pool knows its table, as last told by the registry. Times are monotonic milliseconds. */
export type RegistryState =
  /** No snapshot has come yet. `cause` says why, when the registry has said why. */
  | { readonly kind: 'waiting'; readonly since: number; readonly cause?: Error }
  /** The table equals the registry. */
  | { readonly kind: 'current'; readonly since: number }
  /** The table stands as last told, and could not be proven current since `since`. It is served all the same. */
  | { readonly kind: 'stale'; readonly since: number; readonly cause: Error };

/** One row of the subchannel table. */
export interface SubchannelSnapshot {
  readonly endpoint: Endpoint;
  /** The registry ids that announce this address; none for an unconfirmed or draining row. */
  readonly ids: readonly string[];
  readonly state: SubchannelState;
  /**
   * Not announced any more, and served all the same: too many endpoints vanished at once to believe it, and its
   * connection holds.
   */
  readonly unconfirmed: boolean;
  /** Taken out for a while because it fails; see `PoolOptions.outlierDetection`. */
  readonly ejected: boolean;
  /** What its health service says; true without health checks. */
  readonly serving: boolean;
  /** Calls picked and not finished. */
  readonly pending: number;
  /** Calls picked since the row was made. */
  readonly picked: number;
}

/** A consistent copy of what the pool knows, for people and for tests. Taking it costs O(rows). */
export interface PoolSnapshot {
  readonly service: string;
  readonly picker: string;
  readonly registry: RegistryState;
  /** In order of address; draining rows after the others. */
  readonly subchannels: readonly SubchannelSnapshot[];
  /** How many of them are READY. */
  readonly ready: number;
  /** Calls that wait for a READY subchannel with room. */
  readonly waiting: number;
  /** Calls picked and not finished, over all rows. */
  readonly pending: number;
  readonly closed: boolean;
}

/** The rows of a table, as a snapshot has them. */
export function subchannelSnapshots<L>(table: Table<L>): SubchannelSnapshot[] {
  const subchannels: SubchannelSnapshot[] = [];
  for (const row of table.rows()) {
    const { endpoint, state, unconfirmed, ejected, serving, pending, picked } = row;
    const ids = [...row.ids.keys()].sort();
    subchannels.push({ endpoint, ids, state, unconfirmed, ejected, serving, pending, picked });
  }
  return subchannels.sort(byAddressDrainingLast);
}

function byAddressDrainingLast(a: SubchannelSnapshot, b: SubchannelSnapshot): number {
  const draining = Number(a.state.kind === 'draining') - Number(b.state.kind === 'draining');
  if (draining !== 0) return draining;
  return a.endpoint.address < b.endpoint.address ? -1 : Number(a.endpoint.address > b.endpoint.address);
}
