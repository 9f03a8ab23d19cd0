import { EtcdLeaseInvalidError, type Lease } from 'etcd3';
import type { Endpoint } from '../../endpoint.js';
import type { KeyHolder, LeaseStore, OperationLimits } from '../leases.js';
import type { EtcdClient } from './client.js';
import { encodeValue } from './codec.js';

/** etcd as a {@link LeaseStore}. */
export class EtcdLeases implements LeaseStore {
  readonly #client: EtcdClient;
  /** etcd3 renews and revokes by the object that was granted. */
  readonly #leases = new Map<string, Lease>();

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  async grant(ttlSeconds: number, limits: OperationLimits): Promise<string> {
    return this.#client.call(async (etcd, calls) => {
      const lease = etcd.lease(ttlSeconds, { ...calls, autoKeepAlive: false });
      const id = await lease.grant();
      this.#leases.set(id, lease);
      return id;
    }, limits);
  }

  async keepAlive(id: string, limits: OperationLimits): Promise<boolean> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    try {
      await this.#client.call((_, calls) => lease.keepaliveOnce(calls), limits);
      return true;
    } catch (error) {
      if (error instanceof EtcdLeaseInvalidError) {
        this.#leases.delete(id);
        return false;
      }
      throw error;
    }
  }

  async holder(key: string, limits: OperationLimits): Promise<KeyHolder | undefined> {
    const { kvs } = await this.#client.call((etcd, calls) => etcd.get(key).options(calls).exec(), limits);
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

  async revoke(id: string, limits: OperationLimits): Promise<void> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    await this.#client.call((_, calls) => lease.revoke(calls), limits);
    this.#leases.delete(id);
  }
}
