import { readFileSync } from 'node:fs';
import type { ServerTls } from '../../test/support/server-protocol.js';

/** The certificates of the tests: see `make.sh` there. Compiled, this file is one directory deeper. */
const DIRECTORY = new URL(
  import.meta.url.includes('/dist/') ? '../../../test/fixtures/tls/' : '../../test/fixtures/tls/',
  import.meta.url,
);

export function pem(name: string): Buffer {
  return readFileSync(new URL(`${name}.pem`, DIRECTORY));
}

/** The certificate of that name, and its key. */
export function identity(name: string): [certificate: string, privateKey: string] {
  return [pem(name).toString(), pem(`${name}-key`).toString()];
}

/** What a server needs of the certificate of that name; `mutual`: it asks its clients for theirs. */
export function serverTls(name: string, mutual = false): ServerTls {
  const [certificate, privateKey] = identity(name);
  return { certificate, privateKey, ...(mutual && { clientAuthority: pem('ca').toString() }) };
}
