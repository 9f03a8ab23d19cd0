import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { ServerTls } from './server-protocol.js';

type CertificateListener = experimental.IdentityCertificateUpdateListener;

/** Credentials of a server whose certificate may change while it serves: connections that there are go on. */
export class RotatingCredentials {
  readonly credentials: ServerCredentials;
  readonly #listeners = new Set<CertificateListener>();
  #identity: Parameters<CertificateListener>[0];

  constructor({ certificate, privateKey, clientAuthority }: ServerTls) {
    this.#identity = identity(certificate, privateKey);
    const identities = {
      addIdentityCertificateListener: (listener: CertificateListener) => {
        this.#listeners.add(listener);
        listener(this.#identity);
      },
      removeIdentityCertificateListener: (listener: CertificateListener) => {
        this.#listeners.delete(listener);
      },
      addCaCertificateListener: () => {},
      removeCaCertificateListener: () => {},
    };
    const authorities = clientAuthority === undefined ? null : fixedAuthority(clientAuthority);
    this.credentials = experimental.createCertificateProviderServerCredentials(
      identities,
      authorities,
      clientAuthority !== undefined,
    );
  }

  rotate(certificate: string, privateKey: string): void {
    this.#identity = identity(certificate, privateKey);
    for (const listener of this.#listeners) listener(this.#identity);
  }
}

function identity(certificate: string, privateKey: string) {
  return { certificate: Buffer.from(certificate), privateKey: Buffer.from(privateKey) };
}

function fixedAuthority(pem: string) {
  const update = { caCertificate: Buffer.from(pem) };
  return {
    addCaCertificateListener: (listener: experimental.CaCertificateUpdateListener) => listener(update),
    removeCaCertificateListener: () => {},
    addIdentityCertificateListener: () => {},
    removeIdentityCertificateListener: () => {},
  };
}
