import { randomBytes } from 'node:crypto';
import type { Endpoint } from '../base/endpoint.js';

/** How long one operation may take, and what ends it before. A store that cannot be slow may ignore both. */
export interface OperationLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Who holds a key. */
export interface KeyHolder {
  /** The lease that the key hangs on; `'0'` is none. */
  readonly lease: string;
  /** The revision of the store at which the key was last put. */
  readonly revision: bigint;
}

/**
 * What a registration needs of a registry: keys that live as long as the lease that they were put under. etcd is one,
 * {@link MemoryLeases} is one, and so is whatever stands between a registrar and either (a channel to the process
 * that has it): arguments and results can all be cloned structurally.
 *
 * Every operation rejects when the registry cannot be reached, and may have happened nevertheless.
 */
export interface LeaseStore {
  /**
   * Grants a lease. It ends, with its keys, when it was not kept alive for `ttlSeconds`. One that is there already stays
   * as it is: so an attempt whose answer was lost can be made again, and leaves nothing behind that nobody can revoke.
   *
   * @param lease - the id that it is to have: of {@link newLease}.
   */
  grant(lease: string, ttlSeconds: number, limits: OperationLimits): Promise<void>;
  /** Gives the lease its full time again; false when there is no such lease any more. */
  keepAlive(lease: string, limits: OperationLimits): Promise<boolean>;
  /** Who holds the key now, by the registry's present state (in etcd: a linearizable read). */
  holder(key: string, limits: OperationLimits): Promise<KeyHolder | undefined>;
  /**
   * Puts an endpoint under its id and hangs that key on `lease`, if the key was last put at `ifRevision` (0n: if
   * there is no such key).
   */
  put(
    endpoint: Endpoint,
    lease: string,
    ifRevision: bigint,
    limits: OperationLimits,
  ): Promise<'put' | 'changed' | 'lease-gone'>;
  /** Ends the lease and removes its keys. One that is gone already is no error. */
  revoke(lease: string, limits: OperationLimits): Promise<void>;
}

/** An id that no lease of any process has: by chance, of etcd's positive 64-bit numbers an odd one, in decimal. */
export function newLease(): string {
  return String((randomBytes(8).readBigUInt64BE() >> 1n) | 1n);
}
