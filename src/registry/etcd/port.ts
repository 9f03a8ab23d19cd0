/**
 * All that the registry and the registrar ask of a client of etcd, in a language of its own: another client, such as a
 * stub made from etcd's own protos, takes the place of `etcd3/` by implementing {@link EtcdConnection}.
 */
import type { OperationLimits } from '../leases.js';

/** A key of the store. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The lease that it hangs on; `'0'` is none. */
  readonly lease: string;
  /** The revision at which it was last put. */
  readonly revision: bigint;
}

/** etcd's `RangeRequest`, always linearizable. */
export interface RangeRequest {
  readonly key: Uint8Array;
  /** The first key after the range. Default: only `key` itself. */
  readonly rangeEnd?: Uint8Array;
  /** Default: the present one. */
  readonly revision?: bigint;
  /** At most so many keys, the first ones. Default: all. */
  readonly limit?: number;
  /** No keys, but how many there are. */
  readonly countOnly?: boolean;
}

export interface RangeAnswer {
  /** The revision of the whole store when it answered. */
  readonly revision: bigint;
  readonly clusterId: string;
  readonly entries: readonly KeyValue[];
  /** There are more keys in the range than the limit let through. */
  readonly more: boolean;
  /** How many keys there are in the range, whatever the limit. */
  readonly count: number;
}

/** A put that happens only if the key was last put at `ifRevision` (0n: if there is no such key). */
export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: string;
  readonly ifRevision: bigint;
}

/** One change of a key. */
export interface WatchEvent {
  readonly key: Uint8Array;
  /** Undefined: the key was removed. */
  readonly value: Uint8Array | undefined;
  /** The revision at which it was changed. */
  readonly revision: bigint;
  /** The key was not there before. */
  readonly created: boolean;
}

/** One message of a watch stream. */
export interface WatchAnswer {
  /** The revision of the whole store when it was sent. */
  readonly revision: bigint;
  readonly clusterId: string;
  readonly kind: 'created' | 'canceled' | 'events' | 'progress';
  /** Why it was canceled; `''` when etcd does not say. */
  readonly reason: string;
  readonly events: readonly WatchEvent[];
}

export type WatchRequest =
  | {
      readonly kind: 'create';
      readonly key: Uint8Array;
      readonly rangeEnd: Uint8Array;
      readonly startRevision: bigint;
    }
  /** Asks for a `progress` answer. */
  | { readonly kind: 'progress' };

/** Hears a watch stream: answers in their order, then its end, once. */
export interface WatchListener {
  onAnswer(answer: WatchAnswer): void;
  onEnd(cause: Error): void;
}

export interface WatchStream {
  send(request: WatchRequest): void;
  /** Ends the stream, whatever is under way on it. */
  cancel(): void;
}

/**
 * One connection to one member. It connects with the first call, and never again once it has failed: another connection
 * takes its place. Every call wants the member to have a leader, and is answered by an {@link EtcdError} when it fails.
 */
export interface EtcdConnection {
  /** `http://host:port` */
  readonly host: string;
  /** When the member last answered anything, on the clock; -Infinity before the first answer. */
  readonly heardAt: number;
  range(request: RangeRequest, limits: OperationLimits): Promise<RangeAnswer>;
  put(request: PutRequest, limits: OperationLimits): Promise<'put' | 'changed'>;
  /** @param lease - the id that it is to have. */
  grantLease(lease: string, ttlSeconds: number, limits: OperationLimits): Promise<void>;
  /** False when there is no such lease any more. */
  keepLeaseAlive(lease: string, limits: OperationLimits): Promise<boolean>;
  revokeLease(lease: string, limits: OperationLimits): Promise<void>;
  /** Opens a stream that lives until it is cancelled or ends by itself. */
  watch(listener: WatchListener, signal: AbortSignal): Promise<WatchStream>;
  /** Closes when the calls that are under way are over; resolves then. It is given no more. */
  retire(): Promise<void>;
  /** Cancels every call and closes. */
  close(): void;
}

export type EtcdErrorKind =
  /** The member or the connection to it failed: another may do. */
  | 'unreachable'
  /** No answer within the time that was given. */
  | 'timed-out'
  | 'lease-gone'
  | 'lease-exists'
  /** etcd took the request and says no: so would any other member. */
  | 'refused';

/** How a call to etcd failed. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';

  constructor(
    readonly kind: EtcdErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** Whether it says nothing of the request itself, so that another member may be asked. */
  get isOfMember(): boolean {
    return this.kind === 'unreachable' || this.kind === 'timed-out';
  }
}

/** The first key after all that begin with `prefix` (etcd's convention); a zero byte, "to the end", for one of 0xff alone. */
export function rangeEndOf(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last === -1) return Uint8Array.of(0);
  // A copy: `slice` of a Buffer is none.
  const end = Uint8Array.from(prefix.subarray(0, last + 1));
  end[last] = (end[last] as number) + 1;
  return end;
}
