import { type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import { createChannel, createClient } from 'nice-grpc';
import {
  EchoClient,
  type EchoReply,
  type EchoRequest,
  EchoService,
} from '../../generated/evenkeel/echo/v1/echo.js';
import { CHANNEL_OPTIONS } from '../../src/balancer/subchannel.js';
import { Pool, staticRegistry } from '../../src/index.js';
import { Http2Floor } from './http2-floor.js';

/** One way to make the call. */
export type Call = (request: EchoRequest) => Promise<EchoReply>;

export const MODES = [
  'grpc-js',
  'grpc-js-4',
  'grpc-js-4-flags',
  'grpc-js-round-robin',
  'nice-grpc',
  'http2',
  'stub',
  'client',
  'channel+nice-grpc',
  'pick',
] as const;
export type Mode = (typeof MODES)[number];

/** How long a call may take in the modes with a deadline, in milliseconds. */
const DEADLINE_MS = 10_000;
const ROUND_ROBIN: ClientOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

/** Every mode on the same servers, connected: one connection to each server, but for `grpc-js`, which has one server. */
export async function openModes(addresses: readonly string[]): Promise<{
  calls: Record<Mode | 'grpc-js-4 with deadline' | 'stub with deadline', Call>;
  pool: Pool;
  close(): Promise<void>;
}> {
  const insecure = credentials.createInsecure();
  const client = (address: string, options: ClientOptions = {}) => new EchoClient(address, insecure, options);
  const one = client(addresses[0]!);
  const four = addresses.map((address) => client(address));
  const fourFlags = addresses.map((address) => client(address, CHANNEL_OPTIONS));
  const roundRobin = client(`ipv4:${addresses.join(',')}`, ROUND_ROBIN);
  const niceChannels = addresses.map((address) => createChannel(address));
  const nice = niceChannels.map((channel) => createClient(EchoService, channel));
  const floor = new Http2Floor(addresses);
  const pool = new Pool({ registry: staticRegistry(addresses), service: 'bench' });
  const stub = pool.stub(EchoService);
  const pooled = pool.client(EchoClient);
  const poolNice = createClient(EchoService, pool.channel);

  const promise = (echo: EchoClient, request: EchoRequest) =>
    new Promise<EchoReply>((resolve, reject) => {
      echo.unary(request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  const promiseWithDeadline = (echo: EchoClient, request: EchoRequest) =>
    new Promise<EchoReply>((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS };
      echo.unary(request, new Metadata(), options, (error, reply) =>
        error === null ? resolve(reply) : reject(error),
      );
    });
  let next = 0;
  const turn = <T>(all: readonly T[]) => all[next++ % all.length]!;
  const calls = {
    'grpc-js': (request: EchoRequest) => promise(one, request),
    'grpc-js-4': (request: EchoRequest) => promise(turn(four), request),
    'grpc-js-4-flags': (request: EchoRequest) => promise(turn(fourFlags), request),
    'grpc-js-round-robin': (request: EchoRequest) => promise(roundRobin, request),
    'nice-grpc': (request: EchoRequest) => turn(nice).unary(request),
    http2: (request: EchoRequest) => floor.call(request),
    stub: (request: EchoRequest) => stub.unary(request),
    client: (request: EchoRequest) => promise(pooled, request),
    'channel+nice-grpc': (request: EchoRequest) => poolNice.unary(request),
    pick: async (request: EchoRequest) => promise((await pool.pick()).as(EchoClient), request),
    'grpc-js-4 with deadline': (request: EchoRequest) => promiseWithDeadline(turn(four), request),
    'stub with deadline': (request: EchoRequest) => stub.unary(request, { timeoutMs: DEADLINE_MS }),
  };
  for await (const _ of pool.events()) if (pool.snapshot().ready === addresses.length) break;
  return {
    calls,
    pool,
    async close() {
      for (const echo of [one, ...four, ...fourFlags, roundRobin]) echo.close();
      for (const channel of niceChannels) channel.close();
      floor.close();
      await pool.close();
    },
  };
}
