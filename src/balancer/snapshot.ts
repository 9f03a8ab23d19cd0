import type { Endpoint } from '../endpoint.js';
import type { EjectionReason } from './outlier.js';

/** How well the pool knows its table, as last told by the registry. Times are monotonic milliseconds. */
export type RegistryState =
  /** No snapshot has come yet. `cause` says why, when the registry has said why. */
  | { readonly kind: 'waiting'; readonly since: number; readonly cause?: Error }
  /** The table equals the registry. */
  | { readonly kind: 'current'; readonly since: number }
  /** The table stands as last told, and could not be proven current since `since`. It is served all the same. */
  | { readonly kind: 'stale'; readonly since: number; readonly cause: Error };

/** The state of a subchannel, with what belongs to it. Times are monotonic milliseconds. */
export type SubchannelState =
  /** Announced, and not in this client's subset: not connected. */
  | { readonly kind: 'idle' }
  /** Waits for one of the places to connect: at most 64 connect at once. */
  | { readonly kind: 'queued' }
  | { readonly kind: 'connecting'; readonly since: number }
  /** Connected: gets picks. */
  | { readonly kind: 'ready'; readonly since: number }
  /** Could not be connected; is tried again at `retryAt`. */
  | { readonly kind: 'failed'; readonly cause: Error; readonly retryAt: number }
  /** Announced no more: no new picks, its calls finish. `connected`: its connection still holds. */
  | { readonly kind: 'draining'; readonly since: number; readonly connected: boolean }
  | { readonly kind: 'closed' };

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

/** What happens to a pool, as `pool.events()` tells it. Times are monotonic milliseconds. */
export type PoolEvent =
  /** An endpoint has been announced, or its attributes have changed. */
  | { readonly kind: 'endpoint-put'; readonly at: number; readonly endpoint: Endpoint }
  /** Announced no more, and kept for a time of grace: see `PoolOptions.massRemovalGuard`. */
  | { readonly kind: 'endpoint-unconfirmed'; readonly at: number; readonly endpoint: Endpoint }
  /** Announced no more: gets no more picks. */
  | { readonly kind: 'endpoint-removed'; readonly at: number; readonly endpoint: Endpoint }
  | {
      readonly kind: 'subchannel';
      readonly at: number;
      readonly address: string;
      readonly from: SubchannelState['kind'];
      readonly state: SubchannelState;
    }
  /** Taken out, because it fails, for `forMs` milliseconds and until a call that probes it is well. */
  | {
      readonly kind: 'ejected';
      readonly at: number;
      readonly address: string;
      readonly reason: EjectionReason;
      readonly forMs: number;
    }
  | { readonly kind: 'returned'; readonly at: number; readonly address: string }
  /** The health service of the endpoint has changed its mind. */
  | { readonly kind: 'health'; readonly at: number; readonly address: string; readonly serving: boolean }
  | { readonly kind: 'registry'; readonly at: number; readonly state: RegistryState }
  | { readonly kind: 'picker'; readonly at: number; readonly name: string }
  /** The reader was slower than the events: so many were left out. Take a snapshot. */
  | { readonly kind: 'lagged'; readonly at: number; readonly missed: number }
  | { readonly kind: 'closed'; readonly at: number };
