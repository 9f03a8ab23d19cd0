// Clients that others generate, on a pool: they know nothing of it, and are balanced call by call.
import { fileURLToPath } from 'node:url';
import {
  type Client,
  credentials,
  type GrpcObject,
  InterceptingCall,
  type Interceptor,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createClient, createClientFactory, Metadata as NiceMetadata } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  EchoClient,
  type EchoReply,
  type EchoServer,
  EchoService,
} from '../../../generated/evenkeel/echo/v1/echo.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echo } from '../../support/services.js';
import { request } from './drive.js';

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const ADDED = 'added-by';

/** The four kinds of call, as all of these clients can make them. */
interface Calls {
  unary(request: object, options?: Options): Promise<EchoReply>;
  serverStream(request: object, options?: Options): Promise<EchoReply[]>;
  clientStream(requests: object[], options?: Options): Promise<EchoReply>;
  bidi(requests: object[], options?: Options): Promise<EchoReply[]>;
}
interface Options {
  readonly signal?: AbortSignal;
}

const servers: Server[] = [];
const addresses: string[] = [];
/** What interceptors have added, as the servers saw it. */
const added: string[] = [];
let pool: Pool;

beforeAll(async () => {
  for (let i = 0; i < 3; i++) {
    let address = '';
    const server = new Server();
    const service = echo({ address: () => address });
    const unary: EchoServer['unary'] = (call, callback) => {
      added.push(...call.metadata.get(ADDED).map(String));
      service.unary(call, callback);
    };
    server.addService(EchoService, { ...service, unary });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    address = `127.0.0.1:${port}`;
    servers.push(server);
    addresses.push(address);
  }
  pool = new Pool({ registry: staticRegistry(addresses), service: 'echo', drainTimeoutMs: 1_000 });
  await vi.waitFor(() => expect(pool.snapshot().ready).toBe(3), { timeout: 60_000 });
});

afterAll(async () => {
  await pool.close();
  for (const server of servers) server.forceShutdown();
});

// biome-ignore lint/suspicious/noExplicitAny: what is loaded at run time has no types.
type Loaded = any;

/** grpc-js's own kind of client, whoever generated it. */
function byEvents(client: Client): Calls {
  const methods = client as Loaded;
  const watch = (call: Loaded, { signal }: Options) => {
    signal?.addEventListener('abort', () => call.cancel(), { once: true });
    return call;
  };
  const collect = (call: Loaded) =>
    new Promise<EchoReply[]>((resolve, reject) => {
      const replies: EchoReply[] = [];
      call.on('data', (reply: EchoReply) => replies.push(reply));
      call.on('error', reject);
      call.on('end', () => resolve(replies));
    });
  const send = (call: Loaded, requests: object[]) => {
    for (const message of requests) call.write(message);
    call.end();
    return call;
  };
  const one = (start: (callback: (error: ServiceError | null, reply: EchoReply) => void) => void) =>
    new Promise<EchoReply>((resolve, reject) => {
      start((error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  return {
    unary: (message, options = {}) =>
      one((callback) => watch(methods.unary(message, new Metadata(), callback), options)),
    serverStream: (message, options = {}) => collect(watch(methods.serverStream(message), options)),
    clientStream: (messages, options = {}) =>
      one((callback) => send(watch(methods.clientStream(new Metadata(), callback), options), messages)),
    bidi: (messages, options = {}) => collect(send(watch(methods.bidi(), options), messages)),
  };
}

/** Clients that promise: nice-grpc's, and evenkeel's own stub. */
function byPromises(client: Loaded): Calls {
  const collect = async (replies: AsyncIterable<EchoReply>) => {
    const collected: EchoReply[] = [];
    for await (const reply of replies) collected.push(reply);
    return collected;
  };
  const stream = async function* (messages: object[]) {
    yield* messages;
  };
  return {
    unary: (message, options = {}) => client.unary(message, options),
    serverStream: (message, options = {}) => collect(client.serverStream(message, options)),
    clientStream: (messages, options = {}) => client.clientStream(stream(messages), options),
    bidi: (messages, options = {}) => collect(client.bidi(stream(messages), options)),
  };
}

function loaded(): ServiceClientConstructor {
  const definition = loadSync('evenkeel/echo/v1/echo.proto', { includeDirs: [PROTO], defaults: true });
  return 'evenkeel.echo.v1.Echo'
    .split('.')
    .reduce<Loaded>((from: GrpcObject, name) => from[name], loadPackageDefinition(definition));
}

const adds: Interceptor = (options, next) =>
  new InterceptingCall(next(options), {
    start(metadata, listener, start) {
      metadata.set(ADDED, 'an interceptor');
      start(metadata, listener);
    },
  });

const FAMILIES: Record<string, () => Calls> = {
  'a ts-proto client': () => byEvents(pool.client(EchoClient)),
  'a ts-proto client with interceptors': () =>
    byEvents(
      new EchoClient('unused', credentials.createInsecure(), {
        channelOverride: pool.channel,
        interceptors: [adds],
      }),
    ),
  'a proto-loader client': () => byEvents(pool.client(loaded())),
  'a proto-loader client with interceptors': () =>
    byEvents(
      new (loaded())('unused', credentials.createInsecure(), {
        channelOverride: pool.channel,
        interceptors: [adds],
      }),
    ),
  'a stub of a proto-loader service': () => {
    // Its methods are named as in the .proto file.
    const { Unary, ServerStream, ClientStream, Bidi } = pool.stub(loaded().service) as Loaded;
    const methods = { unary: Unary, serverStream: ServerStream, clientStream: ClientStream, bidi: Bidi };
    return byPromises(methods);
  },
  'a nice-grpc client': () => byPromises(createClient(EchoService, pool.channel)),
  'a nice-grpc client with middleware': () =>
    byPromises(
      createClientFactory()
        .use(async function* (call, options) {
          const metadata = NiceMetadata(options.metadata).set(ADDED, 'a middleware');
          return yield* call.next(call.request, { ...options, metadata });
        })
        .create(EchoService, pool.channel),
    ),
};

describe.each(Object.entries(FAMILIES))('%s on a pool', (name, make) => {
  it('makes calls of all kinds, each on the next server', async () => {
    const calls = make();
    const payloads = ['a', 'b', 'c'].map((letter) => request(letter));
    const text = (replies: EchoReply[]) => replies.map(({ payload }) => String(payload));
    const served: string[] = [];
    for (let i = 0; i < 3; i++) {
      const one = await calls.unary(request('one'));
      const three = await calls.serverStream(request('x', { count: 3 }));
      const joined = await calls.clientStream(payloads);
      const each = await calls.bidi(payloads);
      expect(String(one.payload)).toBe('one');
      expect(text(three)).toEqual(['x', 'x', 'x']);
      expect([String(joined.payload), joined.seen]).toEqual(['abc', 3]);
      expect(text(each)).toEqual(['a', 'b', 'c']);
      served.push(one.server, three[0]!.server, joined.server, each[0]!.server);
    }
    const shares = addresses.map((address) => served.filter((server) => server === address).length);
    expect(shares).toEqual([4, 4, 4]);
    expect(pool.snapshot().pending).toBe(0);
  });

  it('is told of errors, in the words of the server', async () => {
    const calls = make();
    const failing = request('x', { code: 5, details: 'no such thing', count: 1 });
    const ends = await Promise.allSettled([
      calls.unary(failing),
      calls.serverStream(failing),
      calls.clientStream([failing]),
      calls.bidi([failing]),
    ]);
    const reason = expect.objectContaining({ code: 5, details: 'no such thing' });
    expect(ends).toEqual(Array(4).fill({ status: 'rejected', reason }));
  });

  it('gives up calls, at once', async () => {
    const calls = make();
    const slow = request('x', { delayMs: 60_000, count: 1 });
    const abort = new AbortController();
    const ends = Promise.allSettled<unknown>([
      calls.unary(slow, { signal: abort.signal }),
      calls.serverStream(slow, { signal: abort.signal }),
      calls.clientStream([slow], { signal: abort.signal }),
      calls.bidi([slow], { signal: abort.signal }),
    ]);
    expect(pool.snapshot().pending).toBe(4);
    abort.abort();
    for (const end of await ends) {
      expect(end).toMatchObject({ status: 'rejected' });
      const { name, code } = (end as PromiseRejectedResult).reason;
      expect(name === 'AbortError' || code === 1).toBe(true);
    }
    await expect.poll(() => pool.snapshot().pending).toBe(0);
  });

  it('sends what its interceptors add', async () => {
    added.length = 0;
    await make().unary(request('x'));
    const expected = name.endsWith('interceptors')
      ? ['an interceptor']
      : name.endsWith('middleware')
        ? ['a middleware']
        : [];
    expect(added).toEqual(expected);
  });
});
