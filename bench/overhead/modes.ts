import { type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import { createChannel, createClient } from 'nice-grpc';
import {
  EchoClient,
  type EchoReply,
  type EchoRequest,
  EchoService,
} from '../../generated/evenkeel/echo/v1/echo.js';
import { CHANNEL_OPTIONS } from '../../src/balancer/transport/grpc-js/channel-options.js';
import { http2Transport } from '../../src/balancer/transport/http2/index.js';
import type { Transport } from '../../src/balancer/transport/transport.js';
import { Pool, staticRegistry } from '../../src/index.js';
import { Http2Floor } from './http2-floor.js';

/** Makes one call. */
export type Call = (request: EchoRequest) => Promise<EchoReply>;

/** How long a call may take in the modes with a deadline, in milliseconds. */
const DEADLINE_MS = 10_000;
const ROUND_ROBIN: ClientOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

/** The ways to make a call. All have one connection to each server, but for `grpc-js`, which has one server. */
const OPENERS = {
  'grpc-js': ([address]) => promise(connect(address!)),
  'grpc-js-4': (addresses) => inTurn(addresses.map((address) => promise(connect(address)))),
  'grpc-js-4-flags': (addresses) =>
    inTurn(addresses.map((address) => promise(connect(address, CHANNEL_OPTIONS)))),
  'grpc-js-round-robin': (addresses) => promise(connect(`ipv4:${addresses.join(',')}`, ROUND_ROBIN)),
  'nice-grpc': (addresses) =>
    inTurn(
      addresses.map((address): Call => {
        const client = createClient(EchoService, createChannel(address));
        return (request) => client.unary(request);
      }),
    ),
  http2: (addresses) => {
    const floor = new Http2Floor(addresses);
    return (request) => floor.call(request);
  },
  stub: async (addresses) => {
    const stub = (await openPool(addresses)).stub(EchoService);
    return (request) => stub.unary(request);
  },
  client: async (addresses) => promise((await openPool(addresses)).client(EchoClient)),
  'channel+nice-grpc': async (addresses) => {
    const client = createClient(EchoService, (await openPool(addresses)).channel);
    return (request) => client.unary(request);
  },
  pick: async (addresses) => {
    const pool = await openPool(addresses);
    return async (request) => promise((await pool.pick()).as(EchoClient))(request);
  },
  'stub+http2': async (addresses) => {
    const stub = (await openPool(addresses, http2Transport())).stub(EchoService);
    return (request) => stub.unary(request);
  },
  'client+http2': async (addresses) =>
    promise((await openPool(addresses, http2Transport())).client(EchoClient)),
  'channel+nice-grpc+http2': async (addresses) => {
    const client = createClient(EchoService, (await openPool(addresses, http2Transport())).channel);
    return (request) => client.unary(request);
  },
  'stub+http2 with deadline': async (addresses) => {
    const stub = (await openPool(addresses, http2Transport())).stub(EchoService);
    return (request) => stub.unary(request, { timeoutMs: DEADLINE_MS });
  },
  'grpc-js-4 with deadline': (addresses) =>
    inTurn(addresses.map((address) => promiseWithDeadline(connect(address)))),
  'stub with deadline': async (addresses) => {
    const stub = (await openPool(addresses)).stub(EchoService);
    return (request) => stub.unary(request, { timeoutMs: DEADLINE_MS });
  },
} satisfies Record<string, (addresses: readonly string[]) => Call | Promise<Call>>;

export type Mode = keyof typeof OPENERS;

/** Opens one mode, for as long as the process lives. */
export async function openMode(mode: Mode, addresses: readonly string[]): Promise<Call> {
  return OPENERS[mode](addresses);
}

/** A pool, connected to every address. */
export async function openPool(addresses: readonly string[], transport?: Transport): Promise<Pool> {
  const pool = new Pool({
    registry: staticRegistry(addresses),
    service: 'bench',
    // Until it is connected, nothing else would keep the process.
    keepAlive: true,
    ...(transport && { transport }),
  });
  for await (const _ of pool.events()) if (pool.snapshot().ready === addresses.length) break;
  return pool;
}

function connect(target: string, options: ClientOptions = {}): EchoClient {
  return new EchoClient(target, credentials.createInsecure(), options);
}

/** The promise form of a generated client, as everybody writes it. */
function promise(client: EchoClient): Call {
  return (request) =>
    new Promise((resolve, reject) => {
      client.unary(request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
}

function promiseWithDeadline(client: EchoClient): Call {
  return (request) =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS };
      client.unary(request, new Metadata(), options, (error, reply) =>
        error === null ? resolve(reply) : reject(error),
      );
    });
}

function inTurn(calls: readonly Call[]): Call {
  let next = 0;
  return (request) => calls[next++ % calls.length]!(request);
}
