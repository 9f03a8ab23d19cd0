// A plain etcd3 client that writes behind the library's back, and tells what etcd holds.
import { Etcd3, type IOptions } from 'etcd3';
import { expect } from 'vitest';
import type { Follower } from '../../../src/testing/follower.js';

/** etcd's default bound on operations in one transaction. */
const TXN_OPS = 128;

export class Store {
  readonly etcd: Etcd3;

  constructor(hosts: string | string[], more: Partial<IOptions> = {}) {
    const run = async (call: (context: { signal: AbortSignal }) => unknown) =>
      call({ signal: new AbortController().signal });
    const policy = { execute: run } as unknown as NonNullable<
      NonNullable<IOptions['faultHandling']>['global']
    >;
    this.etcd = new Etcd3({
      hosts,
      faultHandling: { host: () => policy, global: policy },
      grpcOptions: { 'grpc.max_receive_message_length': -1 },
      ...more,
    });
  }

  static key(service: string, address: string): string {
    return `/etcdv3_resolver/${service}/${address}`;
  }

  async put(service: string, address: string, value: string = address): Promise<void> {
    await this.etcd.put(Store.key(service, address)).value(value);
  }

  async remove(service: string, address: string): Promise<void> {
    await this.etcd.delete().key(Store.key(service, address));
  }

  /** Puts `localhost:1` to `localhost:<count>`, many in each transaction. */
  async putMany(service: string, count: number, value: (address: string) => string): Promise<void> {
    const addresses = Array.from({ length: count }, (_, i) => `localhost:${i + 1}`);
    for (let from = 0; from < count; from += TXN_OPS) {
      const puts = addresses
        .slice(from, from + TXN_OPS)
        .map((address) => this.etcd.put(Store.key(service, address)).value(value(address)));
      await this.etcd
        .if('never', 'Version', '==', 0)
        .then(...puts)
        .commit();
    }
  }

  /** What etcd holds, by a linearizable read of its own. */
  async keys(service: string): Promise<string[]> {
    const keys = await this.etcd.getAll().prefix(`/etcdv3_resolver/${service}/`).keys();
    return keys.sort();
  }

  async expectEqual(follower: Follower, service: string): Promise<void> {
    const mine = [...follower.table.keys()].sort();
    expect(mine).toEqual(await this.keys(service));
  }

  close(): void {
    this.etcd.close();
  }
}

/** A value of about this many bytes that announces the address. */
export function fat(address: string, bytes: number): string {
  return JSON.stringify({ Op: 0, Addr: address, Metadata: { filler: 'x'.repeat(bytes) } });
}
