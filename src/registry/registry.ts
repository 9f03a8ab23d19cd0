import type { Endpoint, EndpointInit } from '../base/endpoint.js';

/** What a watch tells. */
export type RegistryEvent =
  /**
   * The whole truth at one moment; the receiver compares by value. The order of endpoints means nothing, but that the first
   * `preferred` of them are connected before the others: their servers are known to have lived lately. Default: all alike.
   */
  | {
      readonly kind: 'snapshot';
      readonly endpoints: readonly Endpoint[];
      readonly preferred?: number | undefined;
    }
  /**
   * What changed since the event before: endpoints put, and the ids of those removed. An id is in one of them, once. An
   * endpoint may be put as it was, and an id removed that was never put: neither is a change.
   */
  | { readonly kind: 'changes'; readonly put: readonly Endpoint[]; readonly removed: readonly string[] }
  /** The table as told stands, but can no longer be proven current. The next snapshot or changes end it. */
  | { readonly kind: 'stale'; readonly cause: Error };

/**
 * Where endpoints are found. Any async generator of {@link RegistryEvent}s is one.
 *
 * Contract (`test/registry/contract.ts` holds every implementation to it):
 * - the first event that is not `stale` is a `snapshot`; an empty service is an empty snapshot, not silence;
 * - changes come in the order in which the registry made them, none missing and none twice; for a reader that lags
 *   they are folded into fewer events that say the same;
 * - a lost connection is told as `stale`, once, and ended by a `snapshot`; it does not end or fail the iteration;
 * - the iteration ends soon after `signal` aborts, or its owner closes the registry, and for no other reason; nothing
 *   is left running after it.
 */
export interface Registry {
  /** @throws BalancerError INVALID_OPTION for a service that cannot be, CLOSED after the registry was closed. */
  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent>;
  /**
   * A connection to an endpoint of the service was lost, or could not be made: what was told of it may be out of date.
   * For registries that have to ask, such as DNS (gRPC's resolvers have the same: grpc/grpc doc/naming.md,
   * "re-resolution"); one that is told of every change leaves it out. A pool says it for each connection, so in a big
   * outage often: bound what it leads to. Must not throw.
   */
  refresh?(service: string): void;
}

/** Where servers announce themselves. */
export interface Registrar {
  /**
   * Announces an endpoint until the registration is closed, whatever happens to the registry meanwhile. Returns at
   * once, in state `registering`. A key that is left over from a former life of this server is taken over; one that
   * another process put since is not, as long as that lives.
   *
   * @throws BalancerError INVALID_ADDRESS or INVALID_OPTION, synchronously, when the endpoint cannot be announced;
   *   CLOSED after the registrar was closed.
   */
  register(service: string, endpoint: EndpointInit, options?: RegisterOptions): Registration;
}

export interface RegisterOptions {
  /**
   * How long the registry keeps the endpoint after its server was last heard: whole seconds, 2 or more. Default 15.
   *
   * An etcd cluster whose leader has gone answers nobody until it has another, for 1 to 3 s: with less than 5 a
   * registration can be `lost` meanwhile, to be back as soon as it answers.
   */
  readonly ttlSeconds?: number;
  /**
   * Tells processes apart that announce one address, as the workers of a cluster do that share a port: each then has a
   * key of its own, `ADDRESS#INSTANCE`, and the address is announced as long as one of them lives. Letters, digits, `-`,
   * `_` and `.`. Default: one process to an address.
   */
  readonly instance?: string;
}

/** The state of a registration, with what belongs to it. */
export type RegistrationState =
  /** Not announced yet; tried again until it is. `cause` is the last failure. */
  | { readonly kind: 'registering'; readonly cause?: Error }
  | { readonly kind: 'registered' }
  /**
   * Was announced, and is not known to be any more; it will be again as soon as it can. The codes of the cause:
   * KEY_TAKEN, another live process holds the key; LEASE_LOST, the lease or the key was gone; REGISTRY_UNAVAILABLE, the
   * registry was out of reach for as long as the lease lives.
   */
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
