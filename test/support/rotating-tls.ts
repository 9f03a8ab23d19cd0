import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { ServerTls } from './server-protocol.js';

type Listener = experimental.IdentityCertificateUpdateListener;
type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];

/** A certificate that may change: connections that there are go on, new ones are shown the new one. For either side. */
export class RotatingIdentity implements Provider {
  readonly #listeners = new Set<Listener>();
  #identity: Parameters<Listener>[0] = null;

  constructor(certificate: string, privateKey: string) {
    this.rotate(certificate, privateKey);
  }

  rotate(certificate: string, privateKey: string): void {
    this.#identity = { certificate: Buffer.from(certificate), privateKey: Buffer.from(privateKey) };
    for (const listener of this.#listeners) listener(this.#identity);
  }

  addIdentityCertificateListener(listener: Listener): void {
    this.#listeners.add(listener);
    // Later: grpc-js does not hear what is told while it subscribes.
    queueMicrotask(() => listener(this.#identity));
  }

  removeIdentityCertificateListener(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  addCaCertificateListener(): void {}

  removeCaCertificateListener(): void {}
}

/** An authority that stays what it is. */
export function authority(pem: string): Provider {
  const update = { caCertificate: Buffer.from(pem) };
  return {
    addCaCertificateListener: (listener) => queueMicrotask(() => listener(update)),
    removeCaCertificateListener: () => {},
    addIdentityCertificateListener: () => {},
    removeIdentityCertificateListener: () => {},
  };
}

export function serverCredentials(
  identity: RotatingIdentity,
  { clientAuthority }: ServerTls,
): ServerCredentials {
  const clients = clientAuthority === undefined ? null : authority(clientAuthority);
  return experimental.createCertificateProviderServerCredentials(identity, clients, clients !== null);
}
