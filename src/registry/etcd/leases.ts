import { castGrpcError, EtcdLeaseInvalidError } from 'etcd3';
import type { Endpoint } from '../../base/endpoint.js';
import type { KeyHolder, LeaseStore, OperationLimits } from '../leases.js';
import { encodeValue } from './codec.js';
import type { FailoverClient } from './failover.js';

/** etcd as a {@link LeaseStore}. */
export class EtcdLeases implements LeaseStore {
  readonly #client: FailoverClient;

  constructor(client: FailoverClient) {
    this.#client = client;
  }

  async grant(ttlSeconds: number, limits: OperationLimits): Promise<string> {
    const { ID } = await this.#client.call(
      (etcd, calls) => etcd.leaseClient.leaseGrant({ TTL: ttlSeconds }, calls),
      limits,
    );
    return ID;
  }

  /** One request on a stream of its own. (etcd3's `Lease` belongs to one client, and a lease outlives many.) */
  async keepAlive(lease: string, limits: OperationLimits): Promise<boolean> {
    return this.#client.callAny(async (etcd, calls) => {
      const stream = await etcd.leaseClient.leaseKeepAlive(calls);
      try {
        return await new Promise<boolean>((resolve, reject) => {
          stream.on('data', ({ TTL }) => resolve(TTL !== '0'));
          stream.on('error', (error: Error) => reject(castGrpcError(error)));
          stream.on('end', () => reject(new Error('etcd ended the keep-alive stream without an answer')));
          stream.write({ ID: lease });
        });
      } finally {
        stream.end();
      }
    }, limits);
  }

  async holder(key: string, limits: OperationLimits): Promise<KeyHolder | undefined> {
    const { kvs } = await this.#client.callAny((etcd, calls) => etcd.get(key).options(calls).exec(), limits);
    const [kv] = kvs;
    return kv && { lease: kv.lease, revision: BigInt(kv.mod_revision) };
  }

  async put(
    endpoint: Endpoint,
    lease: string,
    ifRevision: bigint,
    limits: OperationLimits,
  ): Promise<'put' | 'changed' | 'lease-gone'> {
    try {
      const { succeeded } = await this.#client.call(
        (etcd, calls) =>
          etcd
            .if(endpoint.id, 'Mod', '==', String(ifRevision))
            .then(etcd.put(endpoint.id).value(encodeValue(endpoint)).lease(lease))
            .options(calls)
            .commit(),
        limits,
      );
      return succeeded ? 'put' : 'changed';
    } catch (error) {
      if (error instanceof EtcdLeaseInvalidError) return 'lease-gone';
      throw error;
    }
  }

  async revoke(lease: string, limits: OperationLimits): Promise<void> {
    try {
      await this.#client.callAny((etcd, calls) => etcd.leaseClient.leaseRevoke({ ID: lease }, calls), limits);
    } catch (error) {
      if (!(error instanceof EtcdLeaseInvalidError)) throw error;
    }
  }
}
