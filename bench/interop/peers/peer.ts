import type { Run } from '../../support/program.js';
import { inProject } from '../support/places.js';
import type { TransportName } from '../support/wire.js';
import type { PeerProcess } from './process.js';

/** One that listens. */
export interface Listening extends AsyncDisposable {
  readonly address: string;
  readonly process: PeerProcess;
}

/** Starts a server, or a proxy with a server behind it, with TLS or without. */
export type Start = (tls: boolean, signal: AbortSignal) => Promise<Listening>;

/** Checks that a peer fails by its own doing, with any client, and why; or that another's client fails with it. */
export type Without = Readonly<Record<string, { readonly why: string; readonly over?: TransportName }>>;

/** A server or a proxy that others wrote. */
export interface Peer {
  readonly name: string;
  readonly without?: Without;
  /** Builds it where it is not built yet. Skips the part where that cannot be. */
  prepare(run: Run): Promise<Start>;
}

/** The certificate that peers show, its key, and who signed it. */
export const TLS_FILES = {
  ca: inProject('test/fixtures/tls/ca.pem'),
  certificate: inProject('test/fixtures/tls/server.pem'),
  key: inProject('test/fixtures/tls/server-key.pem'),
};
