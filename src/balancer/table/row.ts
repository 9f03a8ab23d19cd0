import type { Endpoint } from '../../base/endpoint.js';
import type { Candidate } from '../pickers/picker.js';
import type { SubchannelState } from './state.js';

/**
 * What stands for no limit of pending calls: more than there will be, and still an integer that V8 keeps in the row
 * itself. `Infinity` it would keep elsewhere, a cache line further for every pick.
 */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * A row of the table: one address, its subchannel's state, and what a picker sees of it.
 * Only the table writes to it. `link` is the balancer's port's, whatever it hangs on a row.
 */
export class Row<L = unknown> implements Candidate {
  // What a pick reads comes first, and so in one cache line: in a large fleet a line costs more than the pick.
  pending = 0;
  #limit = 0;
  readonly slot: number;
  /** Where it stands in the READY array; -1 when it does not. */
  position = -1;
  endpoint: Endpoint;
  picked = 0;
  state: SubchannelState = { kind: 'idle' };
  /** Attempts to connect that failed since it was last READY for a while. */
  failures = 0;
  /** Not announced any more, and kept because too many vanished at once to believe it. */
  unconfirmed = false;
  /** Most calls that its server lets be open at a time, as its connection knows it. */
  streams = Number.POSITIVE_INFINITY;
  /** What its health service says; true without one. */
  serving = true;
  /** Taken out for a while because it fails. */
  ejected = false;
  /** READY, serving and of weight: it is picked unless it is ejected. The READY set's. */
  candidate = false;
  link: L | undefined = undefined;
  /** Who announces the address, by id. Empty once it is removed. */
  readonly ids = new Map<string, Endpoint>();

  constructor(endpoint: Endpoint, slot: number, limit: number) {
    this.endpoint = endpoint;
    this.slot = slot;
    this.limit = limit;
  }

  /** Most pending calls: an integer, or set as `Infinity`. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit === Number.POSITIVE_INFINITY ? NO_LIMIT : limit;
  }

  get full(): boolean {
    return this.pending >= this.#limit;
  }
}

/** What there is to do about a change of the table, in this order. */
export type Effect<L> =
  /** Connect the row: anew, or by waking the connection that it has. */
  | { readonly kind: 'connect'; readonly row: Row<L> }
  /** Give up the row's connection: its open calls may finish, and it makes no more. */
  | { readonly kind: 'discard'; readonly row: Row<L> }
  /** Fail whatever calls are still open on the row, which has drained for long enough. */
  | { readonly kind: 'cut'; readonly row: Row<L> }
  /** Call the table's `timerFired` with the row in `ms`, instead of what was asked before; never, without `ms`. */
  | { readonly kind: 'timer'; readonly row: Row<L>; readonly ms?: number }
  /** The READY set has changed: tell the picker. */
  | { readonly kind: 'added'; readonly row: Row<L> }
  | { readonly kind: 'removed'; readonly row: Row<L> }
  | { readonly kind: 'updated'; readonly row: Row<L>; readonly previous: Endpoint }
  /** What is announced has changed: tell the picker, and those who watch. `previous`: it was announced before. */
  | { readonly kind: 'put'; readonly endpoint: Endpoint; readonly previous?: Endpoint }
  | { readonly kind: 'gone'; readonly endpoint: Endpoint }
  /** For those who watch. */
  | { readonly kind: 'unconfirmed'; readonly endpoint: Endpoint }
  | {
      readonly kind: 'state';
      readonly row: Row<L>;
      readonly from: SubchannelState['kind'];
      readonly state: SubchannelState;
    };

/** What a connection tells of itself. */
export type ConnectivityEvent =
  | { readonly kind: 'ready' }
  /** It was READY and is not any more: dropped, or told to go away. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly cause: Error }
  /** It is READY as far as it knows, but was doubted, and another could not be made in its place. */
  | { readonly kind: 'broken'; readonly cause: Error };
