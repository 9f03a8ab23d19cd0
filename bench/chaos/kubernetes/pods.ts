import type { KubeApiserver } from '../../../test/support/kube-apiserver.js';
import type { ServerProcess } from '../../../test/support/server-process.js';

/** Where the API server believes the servers to be: it refuses loopback addresses. */
export const POD_IP = '10.99.0.1';

/** The pods of a Service as the API server is told of them: a slice for each, as each has a port of its own. */
export class Pods {
  readonly #addresses = new Set<string>();

  constructor(
    private readonly server: KubeApiserver,
    private readonly service: string,
  ) {}

  /** As clients see them. */
  get addresses(): readonly string[] {
    return [...this.#addresses].sort();
  }

  add({ address }: Pick<ServerProcess, 'address'>): Promise<void> {
    return this.#put(address, { ready: true, serving: true, terminating: false });
  }

  /** It is to be stopped, and serves for a while still. */
  terminate({ address }: Pick<ServerProcess, 'address'>): Promise<void> {
    return this.#put(address, { ready: false, serving: true, terminating: true });
  }

  async #put(
    address: string,
    conditions: { readonly ready: boolean } & Record<string, boolean>,
  ): Promise<void> {
    const port = Number(address.split(':')[1]);
    await this.server.put({
      name: `${this.service}-${port}`,
      service: this.service,
      ports: [{ name: 'grpc', port, protocol: 'TCP' }],
      endpoints: [{ addresses: [POD_IP], conditions }],
    });
    if (conditions.ready) this.#addresses.add(address);
    else this.#addresses.delete(address);
  }
}
