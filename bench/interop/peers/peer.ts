import type { Run } from '../../support/program.js';
import { inProject } from '../support/places.js';
import type { PeerProcess } from './process.js';

/** One that listens. */
export interface Listening extends AsyncDisposable {
  readonly address: string;
  readonly process: PeerProcess;
}

/** Starts a server, or a proxy with a server behind it, with TLS or without. */
export type Start = (tls: boolean, signal: AbortSignal) => Promise<Listening>;

/** A server or a proxy that others wrote. */
export interface Peer {
  readonly name: string;
  /** Checks that it fails by its own doing, with any client, and why. */
  readonly without?: Readonly<Record<string, string>>;
  /** Builds it where it is not built yet. Skips the part where that cannot be. */
  prepare(run: Run): Promise<Start>;
}

/** The certificate that peers show, its key, and who signed it. */
export const TLS_FILES = {
  ca: inProject('test/fixtures/tls/ca.pem'),
  certificate: inProject('test/fixtures/tls/server.pem'),
  key: inProject('test/fixtures/tls/server-key.pem'),
};
