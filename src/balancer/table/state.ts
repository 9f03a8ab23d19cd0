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
