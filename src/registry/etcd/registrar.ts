import type { EndpointInit } from '../../base/endpoint.js';
import { LeaseRegistrar } from '../registrar.js';
import type { RegisterOptions, Registrar, Registration } from '../registry.js';
import { FailoverClient } from './failover.js';
import { EtcdLeases } from './leases.js';
import { type EtcdOptions, etcdSettings } from './settings.js';

/** Announces endpoints in etcd (3.4 or newer), each under a lease of its own. */
export class EtcdRegistrar implements Registrar, AsyncDisposable {
  readonly #client: FailoverClient;
  readonly #registrar: LeaseRegistrar;

  /** @throws BalancerError INVALID_OPTION, naming what cannot be. Does not connect. */
  constructor(options: EtcdOptions) {
    const settings = etcdSettings(options);
    this.#client = new FailoverClient(settings);
    this.#registrar = new LeaseRegistrar({ ...settings, leases: new EtcdLeases(this.#client) });
  }

  register(service: string, endpoint: EndpointInit, options?: RegisterOptions): Registration {
    return this.#registrar.register(service, endpoint, options);
  }

  /** Takes every endpoint out and closes the connections. Resolves within 3 s whatever etcd does; never rejects. */
  async close(): Promise<void> {
    await this.#registrar.close();
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
