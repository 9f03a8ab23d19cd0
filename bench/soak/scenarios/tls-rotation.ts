import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { experimental } from '@grpc/grpc-js';
import { staticRegistry } from '../../../src/registry/static.js';
import { authority, RotatingIdentity } from '../../../test/support/rotating-tls.js';
import { made, stubWays } from '../calls.js';
import { Load } from '../load.js';
import { atLeast, atMost, type Measured, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import { identity, pem, serverTls } from '../tls.js';

const SERVERS = 5;
const CALLS_PER_SECOND = 250;
const TIMEOUT_MS = 10_000;
/** Connections are made anew all the time: only then does anybody see the new certificate. In milliseconds. */
const CONNECTION_AGE_MS = 1_500;

async function rotate(stage: Stage, seconds: number, mutual: boolean): Promise<Measured> {
  const servers = await stage.servers(SERVERS, {
    tls: serverTls('server', mutual),
    serverOptions: { 'grpc.max_connection_age_ms': CONNECTION_AGE_MS },
  });
  const shown = new Set<string>();
  const verify = {
    checkServerIdentity: (host: string, certificate: PeerCertificate) => {
      shown.add(certificate.fingerprint256);
      return checkServerIdentity(host, certificate);
    },
  };
  const own = new RotatingIdentity(...identity('client'));
  const pool = await stage.pool(SERVERS, {
    registry: staticRegistry(servers.map(({ address }) => address)),
    credentials: experimental.createCertificateProviderChannelCredentials(
      authority(pem('ca').toString()),
      mutual ? own : null,
      verify,
    ),
  });
  const ways = Object.values(stubWays(pool));
  const call = (number: number) => made(ways[number % ways.length]!, { timeoutMs: TIMEOUT_MS }, 2);
  const load = new Load(stage, CALLS_PER_SECOND, call);
  await stage.wait((seconds * 1000) / 2);
  const before = new Set(shown);
  for (const server of servers) server.certificate(...identity('next-server'));
  own.rotate(...identity('next-client'));
  await stage.wait((seconds * 1000) / 2);
  await load.stop();
  if (load.firstFailure !== undefined) stage.say(`the first that failed: ${load.firstFailure}`);
  const fresh = [...shown].filter((fingerprint) => !before.has(fingerprint));
  return { calls: load.calls.length, 'calls-failed': load.failures.length, 'new-certificates': fresh.length };
}

/** Connections live for 1.5 s, so that calls meet GOAWAY and new handshakes all the time. */
export const tlsRotation: Scenario = {
  name: 'tls-rotation',
  title: 'TLS, and mutual TLS beside it: the certificates of all servers and of the client change mid-run',
  seconds: 15,
  limits: {
    'calls-failed': atMost(0, 'calls'),
    'new-certificates': atLeast(1, 'certificates'),
    'mutual-calls-failed': atMost(0, 'calls'),
    'mutual-new-certificates': atLeast(1, 'certificates'),
  },
  async run(stage, seconds) {
    const [plain, mutual] = await Promise.all([rotate(stage, seconds, false), rotate(stage, seconds, true)]);
    return {
      ...plain,
      ...Object.fromEntries(Object.entries(mutual!).map(([name, value]) => [`mutual-${name}`, value])),
    };
  },
};
