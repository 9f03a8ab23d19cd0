import { DEFAULT_WEIGHT, type Endpoint, type EndpointInit } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';
import { LeaseRegistrar } from '../registrar.js';
import type { RegisterOptions, Registrar, Registration } from '../registry.js';
import { encodeValue, MOST_VALUE_BYTES, type ValueFormat } from './codec.js';
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
    this.#registrar = new LeaseRegistrar({
      ...settings,
      leases: new EtcdLeases(this.#client, settings.value),
      check: (endpoint) => mustBeWritable(endpoint, settings.value),
    });
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

function mustBeWritable(endpoint: Endpoint, format: ValueFormat): void {
  const { address, weight, metadata } = endpoint;
  if (format === 'plain' && (weight !== DEFAULT_WEIGHT || Object.keys(metadata).length > 0)) {
    throw new BalancerError(
      'INVALID_OPTION',
      `${address} has a weight or metadata, which a value of the form "plain" has no room for`,
    );
  }
  const bytes = Buffer.byteLength(encodeValue(endpoint, format));
  if (bytes > MOST_VALUE_BYTES) {
    throw new BalancerError(
      'INVALID_OPTION',
      `${address} and its metadata take ${bytes} bytes, and no more than ${MOST_VALUE_BYTES} are read`,
    );
  }
}
