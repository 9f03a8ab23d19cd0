import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echoRequest } from '../calls.js';
import { Load } from '../load.js';
import { atLeast, atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import { pem, serverTls } from '../tls.js';

const GOOD = 3;
const CALLS_PER_SECOND = 250;
const DEADLINE_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** Listens on a port of its own until the scenario ends. */
async function listening(stage: Stage, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stage.atEnd(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `localhost:${(server.address() as AddressInfo).port}`;
}

const silent = () => createServer((socket) => socket.resume());
const http1 = () => createHttpServer((_, response) => response.end('hello'));

/** Why the addresses are not connected, as the snapshot says it, by address: what was said at any time. */
function watchCauses(stage: Stage, pools: readonly Pool[]): Map<string, string> {
  const causes = new Map<string, string>();
  const timer = setInterval(() => {
    for (const { endpoint, state } of pools.flatMap((pool) => pool.snapshot().subchannels)) {
      if (state.kind === 'failed') causes.set(endpoint.address, state.cause.message);
    }
  }, 20);
  stage.atEnd(() => clearInterval(timer));
  return causes;
}

export const badPeers: Scenario = {
  name: 'bad-peers',
  title: 'beside three good servers: one that never speaks, one of HTTP/1, two with wrong TLS certificates',
  seconds: 8,
  limits: {
    'calls-failed': atMost(0, 'calls'),
    picked: atMost(0, 'calls'),
    'said-why': atLeast(6, 'addresses'),
  },
  async run(stage, seconds) {
    const plain = await stage.servers(GOOD);
    const secure = await stage.servers(GOOD, { tls: serverTls('server') });
    const bad = {
      'never speaks': await listening(stage, silent()),
      'speaks HTTP/1': await listening(stage, http1()),
      'never speaks, nor TLS': await listening(stage, silent()),
      'speaks HTTP/1, and no TLS': await listening(stage, http1()),
      'has a certificate of its own': (await stage.server({ tls: serverTls('stranger') })).address,
      'has a certificate of another name': (await stage.server({ tls: serverTls('misnamed') })).address,
    };
    const [neverSpeaks, speaksHttp1, ...wrongWithTls] = Object.values(bad);
    const addresses = (servers: readonly { address: string }[]) => servers.map(({ address }) => address);
    const pools = [
      await stage.pool(GOOD, {
        registry: staticRegistry([...addresses(plain), neverSpeaks!, speaksHttp1!]),
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      }),
      await stage.pool(GOOD, {
        registry: staticRegistry([...addresses(secure), ...wrongWithTls]),
        credentials: credentials.createSsl(pem('ca')),
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      }),
    ];
    const causes = watchCauses(stage, pools);
    const loads = pools.map((pool) => {
      const echo = pool.stub(EchoService);
      return new Load(stage, CALLS_PER_SECOND, () => echo.unary(echoRequest(), { timeoutMs: DEADLINE_MS }));
    });
    await stage.wait(seconds * 1000);
    for (const load of loads) await load.stop();

    const picked = pools
      .flatMap((pool) => pool.snapshot().subchannels)
      .filter(({ endpoint }) => Object.values(bad).includes(endpoint.address))
      .reduce((sum, subchannel) => sum + subchannel.picked, 0);
    stage.table(
      ['a peer that', 'what the snapshot says of it'],
      Object.entries(bad).map(([what, address]) => [what, causes.get(address) ?? 'nothing']),
    );
    return {
      calls: loads.reduce((sum, load) => sum + load.calls.length, 0),
      'calls-failed': loads.reduce((sum, load) => sum + load.failures.length, 0),
      picked,
      'said-why': Object.values(bad).filter((address) => causes.has(address)).length,
    };
  },
};
