import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metadata } from '@grpc/grpc-js';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { gatewayServer, readDescriptors } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { image } from '../../../test/support/image.js';
import { echoRequest } from '../calls.js';
import { Load } from '../load.js';
import { PoolWatch } from '../pool-watch.js';
import { atLeast, atMost, type Scenario } from '../scenario.js';

const SERVERS = 5;
const CALLS_PER_SECOND = 250;
const UNSENDABLE_PER_SECOND = 30;
const SERVICE_MS = 20;
const TIMEOUT_MS = 5_000;

/** node:http2 throws at each of them: a field twice that may be there once, and those that belong to connections. */
const UNSENDABLE = [
  ['authorization', 'a', 'b'],
  ['http2-settings', 'x'],
  ['connection', 'close'],
] as const;

function unsendable(number: number): Metadata {
  const [name, ...values] = UNSENDABLE[number % UNSENDABLE.length]!;
  const metadata = new Metadata();
  for (const value of values) metadata.add(name, value);
  return metadata;
}

/** The status of a POST whose headers make such metadata, one way or the other. */
function post(port: number, number: number): Promise<number> {
  const headers: Record<string, string | string[]> =
    number % 2 === 0 ? { authorization: ['a', 'b'] } : { 'grpc-metadata-http2-settings': 'x' };
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', method: 'POST', path: '/evenkeel.echo.v1.Echo/Unary', headers },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.on('error', reject);
    sent.end('{}');
  });
}

/** Calls that cannot be sent, by stub, generated client and gateway, cost nobody but themselves. */
export const unsendableMetadata: Scenario = {
  name: 'unsendable-metadata',
  title: 'calls with metadata that HTTP/2 cannot carry, beside others on the same connections',
  seconds: 8,
  limits: {
    'calls-failed': atMost(0, 'calls'),
    'connections-lost': atMost(0, 'connections'),
    'unsendable-calls-refused': atLeast(100, '%'),
    'requests-answered-400': atLeast(100, '%'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS, { delayMs: SERVICE_MS });
    const registry = staticRegistry(servers.map(({ address }) => address));
    const pool = await stage.pool(SERVERS, { registry, retry: { maxAttempts: 3, codes: ['UNAVAILABLE'] } });
    const watch = new PoolWatch(pool);
    const services = [{ pool, descriptors: readDescriptors(image('project')) }];
    const gateway = await gatewayServer({ services, all: true });
    stage.atEnd(() => gateway.close());
    await gateway.listen({ host: '127.0.0.1', port: 0 });
    const { port } = gateway.server.address() as AddressInfo;

    const echo = pool.stub(EchoService);
    const client = pool.client(EchoClient);
    const others = new Load(stage, CALLS_PER_SECOND, () =>
      echo.unary(echoRequest(), { timeoutMs: TIMEOUT_MS }),
    );
    const byStub = new Load(stage, UNSENDABLE_PER_SECOND, (number) =>
      echo.unary(echoRequest(), { timeoutMs: TIMEOUT_MS, metadata: unsendable(number) }),
    );
    const byClient = new Load(
      stage,
      UNSENDABLE_PER_SECOND,
      (number) =>
        new Promise((resolve, reject) => {
          const deadline = Date.now() + TIMEOUT_MS;
          client.unary(echoRequest(), unsendable(number), { deadline }, (error, reply) =>
            error === null ? resolve(reply) : reject(error),
          );
        }),
    );
    const statuses: number[] = [];
    const posts = new Load(stage, UNSENDABLE_PER_SECOND, async (number) =>
      statuses.push(await post(port, number)),
    );
    await stage.wait(seconds * 1000);
    for (const load of [posts, byStub, byClient, others]) await load.stop();

    const refused = [byStub, byClient];
    const share = (part: number, whole: number) => (100 * part) / whole;
    if (others.firstFailure !== undefined) stage.say(`the first that failed: ${others.firstFailure}`);
    return {
      calls: others.calls.length,
      'calls-failed': others.failures.length,
      'connections-lost': watch.lost,
      'unsendable-calls-refused': share(
        refused.reduce((sum, load) => sum + load.failures.length, 0),
        refused.reduce((sum, load) => sum + load.calls.length, 0),
      ),
      'requests-answered-400': share(statuses.filter((status) => status === 400).length, posts.calls.length),
    };
  },
};
