import type { Endpoint } from '../../base/endpoint.js';
import type { KeyHolder, LeaseStore, OperationLimits } from '../leases.js';
import { encodeKey, encodeValue, type ValueFormat } from './codec.js';
import type { FailoverClient } from './failover.js';
import { EtcdError } from './port.js';

/** etcd as a {@link LeaseStore}. */
export class EtcdLeases implements LeaseStore {
  readonly #client: FailoverClient;
  readonly #format: ValueFormat;

  constructor(client: FailoverClient, format: ValueFormat = 'auto') {
    this.#client = client;
    this.#format = format;
  }

  async grant(lease: string, ttlSeconds: number, limits: OperationLimits): Promise<void> {
    try {
      await this.#client.callAny((etcd, calls) => etcd.grantLease(lease, ttlSeconds, calls), limits);
    } catch (error) {
      // Granted by an attempt whose answer did not come: nobody else knows its id.
      if (!isKind(error, 'lease-exists')) throw error;
    }
  }

  keepAlive(lease: string, limits: OperationLimits): Promise<boolean> {
    return this.#client.callAny((etcd, calls) => etcd.keepLeaseAlive(lease, calls), limits);
  }

  async holder(key: string, limits: OperationLimits): Promise<KeyHolder | undefined> {
    const request = { key: encodeKey(key) };
    const { entries } = await this.#client.callAny((etcd, calls) => etcd.range(request, calls), limits);
    const [held] = entries;
    return held && { lease: held.lease, revision: held.revision };
  }

  async put(
    endpoint: Endpoint,
    lease: string,
    ifRevision: bigint,
    limits: OperationLimits,
  ): Promise<'put' | 'changed' | 'lease-gone'> {
    const key = encodeKey(endpoint.id);
    const value = Buffer.from(encodeValue(endpoint, this.#format));
    const request = { key, value, lease, ifRevision };
    try {
      return await this.#client.call((etcd, calls) => etcd.put(request, calls), limits);
    } catch (error) {
      if (isKind(error, 'lease-gone')) return 'lease-gone';
      throw error;
    }
  }

  async revoke(lease: string, limits: OperationLimits): Promise<void> {
    try {
      await this.#client.callAny((etcd, calls) => etcd.revokeLease(lease, calls), limits);
    } catch (error) {
      if (!isKind(error, 'lease-gone')) throw error;
    }
  }
}

function isKind(error: unknown, kind: EtcdError['kind']): boolean {
  return error instanceof EtcdError && error.kind === kind;
}
