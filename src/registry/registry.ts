import type { Endpoint, EndpointInit } from '../endpoint.js';

/** What a watch tells. */
export type RegistryEvent =
  /** The whole truth at one moment; the receiver compares by value. */
  | { readonly kind: 'snapshot'; readonly endpoints: readonly Endpoint[] }
  /** What changed since the event before: endpoints put, and the ids of those removed. An id is in one of them. */
  | { readonly kind: 'changes'; readonly put: readonly Endpoint[]; readonly removed: readonly string[] }
  /** The table as told stands, but can no longer be proven current. The next snapshot or changes end it. */
  | { readonly kind: 'stale'; readonly cause: Error };

/**
 * Where endpoints are found. Any async generator of {@link RegistryEvent}s is one.
 *
 * Contract (`test/registry/contract.ts` holds every implementation to it):
 * - the first event that is not `stale` is a `snapshot`; an empty service is an empty snapshot, not silence;
 * - changes come in the order in which the registry made them, none missing and none twice;
 * - a lost connection is told as `stale`, once, and ended by a `snapshot`; it does not end or fail the iteration;
 * - the iteration ends soon after `signal` aborts, and for no other reason; nothing is left running after it.
 */
export interface Registry {
  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent>;
}

/** Where servers announce themselves. */
export interface Registrar {
  /**
   * Announces an endpoint until the registration is closed, whatever happens to the registry meanwhile. Returns at
   * once, in state `registering`.
   *
   * @throws BalancerError INVALID_ADDRESS or INVALID_OPTION, synchronously, when the endpoint cannot be announced.
   */
  register(service: string, endpoint: EndpointInit, options?: RegisterOptions): Registration;
}

export interface RegisterOptions {
  /** How long the registry keeps the endpoint after its server was last heard, in seconds. Default 15; at least 2. */
  readonly ttlSeconds?: number;
}

/** The state of a registration, with what belongs to it. */
export type RegistrationState =
  /** Not announced yet; tried again until it is. `cause` is the last failure. */
  | { readonly kind: 'registering'; readonly cause?: Error }
  | { readonly kind: 'registered' }
  /** Was announced, and is not known to be any more. KEY_TAKEN: another live process holds the key. */
  | { readonly kind: 'lost'; readonly cause: Error }
  | { readonly kind: 'closed' };

/** One endpoint being announced. */
export interface Registration {
  /** Its id in the registry: the key. */
  readonly id: string;
  readonly state: RegistrationState;
  /** Every state from the present one on, ending after `closed` or when the signal aborts. */
  states(signal?: AbortSignal): AsyncIterable<RegistrationState>;
  /** Resolves when `registered`; rejects when closed or aborted before that. */
  registered(signal?: AbortSignal): Promise<void>;
  /** Takes the endpoint out of the registry. Resolves within 3 s whatever the registry does; never rejects. */
  close(): Promise<void>;
}
