import type { Endpoint } from '../../base/endpoint.js';
import type { BalancerEvent } from '../core/balancer.js';
import type { EjectionReason } from '../core/outlier-detector.js';
import type { SubchannelState } from '../table/state.js';
import type { RegistryState } from './snapshot.js';

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

/** What a balancer tells, as the pool tells it. A failed hook of the picker's is logged, and no event. */
export function poolEvent(
  event: Exclude<BalancerEvent<unknown>, { kind: 'picker-failed' }>,
  at: number,
): PoolEvent {
  switch (event.kind) {
    case 'put':
      return { kind: 'endpoint-put', at, endpoint: event.endpoint };
    case 'unconfirmed':
      return { kind: 'endpoint-unconfirmed', at, endpoint: event.endpoint };
    case 'gone':
      return { kind: 'endpoint-removed', at, endpoint: event.endpoint };
    case 'state': {
      const { from, state, row } = event;
      return { kind: 'subchannel', at, address: row.endpoint.address, from, state };
    }
    case 'ejected': {
      const { kind, reason, forMs, row } = event;
      return { kind, at, address: row.endpoint.address, reason, forMs };
    }
    case 'returned':
      return { kind: event.kind, at, address: event.row.endpoint.address };
    case 'serving':
      return { kind: 'health', at, address: event.row.endpoint.address, serving: event.serving };
  }
}
