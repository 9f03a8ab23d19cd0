import { AsyncLocalStorage } from 'node:async_hooks';
import { credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { EchoClient, type EchoServer, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echo as plainEcho } from '../../../test/support/services.js';
import { echoRequest } from '../calls.js';
import { Load } from '../load.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import { identity, pem } from '../tls.js';

const SERVERS = 2;
const USERS = 20;
const CALLS_PER_SECOND = 300;
const TIMEOUT_MS = 5_000;
/** One call at a time on each of two servers, of 2 ms: nearly all calls wait for others to end. */
const SERVICE_MS = 2;
/** One call in so many is refused once, and made again. */
const REFUSED = 50;

/** A server that compares whose a call is with whose token it was sent with. Resolves with its address. */
async function comparing(stage: Stage, mistaken: (user: string, token: string) => void): Promise<string> {
  let calls = 0;
  const echo: EchoServer = {
    ...plainEcho({ address: () => '' }),
    unary: ({ request, metadata }, callback) => {
      const user = request.payload.toString();
      const token = String(metadata.get('user')[0]);
      if (user !== token) mistaken(user, token);
      if (++calls % REFUSED === 0) callback({ code: status.UNAVAILABLE, details: 'once' });
      else setTimeout(() => callback(null, { payload: request.payload, server: '', seen: 1 }), SERVICE_MS);
    },
  };
  const server = new Server();
  server.addService(EchoService, echo);
  stage.atEnd(() => server.forceShutdown());
  const [certificate, key] = identity('server').map(Buffer.from) as [Buffer, Buffer];
  const secure = ServerCredentials.createSsl(null, [{ cert_chain: certificate, private_key: key }]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('localhost:0', secure, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `localhost:${port}`;
}

/** Everything of a call runs in its caller's context, whoever's end lets it go on. */
export const asyncContext: Scenario = {
  name: 'async-context',
  title: `${USERS} users whose calls wait for each other's; tokens and callbacks go by AsyncLocalStorage`,
  seconds: 8,
  limits: {
    'calls-failed': atMost(0, 'calls'),
    'tokens-of-others': atMost(0, 'calls'),
    'callbacks-for-others': atMost(0, 'callbacks'),
  },
  async run(stage, seconds) {
    const users = new AsyncLocalStorage<string>();
    let tokens = 0;
    let callbacks = 0;
    const mistaken = (user: string, token: string) => {
      if (tokens++ === 0) stage.say(`a call of ${user} was sent with the token of ${token}`);
    };
    const addresses: string[] = [];
    for (let n = 0; n < SERVERS; n++) addresses.push(await comparing(stage, mistaken));
    const tokenOfUser = credentials.createFromMetadataGenerator((_, done) => {
      const metadata = new Metadata();
      metadata.set('user', users.getStore() ?? 'nobody');
      done(null, metadata);
    });
    const pool = await stage.pool(SERVERS, {
      registry: staticRegistry(addresses),
      credentials: credentials.createSsl(pem('ca')),
      maxPendingPerEndpoint: 1,
      outlierDetection: false,
      methods: { '/evenkeel.echo.v1.Echo/*': { idempotent: true } },
      retryBudget: { ratio: 1 },
    });
    const stub = pool.stub(EchoService);
    const client = pool.client(EchoClient);
    const heard = (user: string) => {
      if (users.getStore() !== user) callbacks++;
    };
    const byStub = (user: string) =>
      stub.unary(echoRequest({ payload: Buffer.from(user) }), {
        credentials: tokenOfUser,
        timeoutMs: TIMEOUT_MS,
        onMetadata: () => heard(user),
        onStatus: () => heard(user),
      });
    const byClient = (user: string) =>
      new Promise<void>((resolve, reject) => {
        const options = { credentials: tokenOfUser, deadline: Date.now() + TIMEOUT_MS };
        const request = echoRequest({ payload: Buffer.from(user) });
        const call = client.unary(request, new Metadata(), options, (error) => {
          heard(user);
          if (error === null) resolve();
          else reject(error);
        });
        call.on('status', () => heard(user));
      });
    const load = new Load(stage, CALLS_PER_SECOND, (number) => {
      const user = `user-${number % USERS}`;
      return users.run(user, () => (number % 3 === 0 ? byClient(user) : byStub(user)));
    });
    await stage.wait(seconds * 1000);
    await load.stop();
    if (load.firstFailure !== undefined) stage.say(`the first that failed: ${load.firstFailure}`);
    return {
      calls: load.calls.length,
      'calls-failed': load.failures.length,
      'tokens-of-others': tokens,
      'callbacks-for-others': callbacks,
    };
  },
};
