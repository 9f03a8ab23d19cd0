// Pools over servers that misbehave, and calls on them.
import { Readable, Writable } from 'node:stream';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { expect, onTestFinished } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { type Kind, request } from './drive.js';
import { type RawCall, RawServer } from './raw-server.js';
import { RUN } from './scenario-server.js';

export const SOON = { timeout: 60_000, interval: 5 };

export async function serve(handle: (call: RawCall) => void): Promise<RawServer> {
  const server = await RawServer.start(handle);
  onTestFinished(() => server.close());
  return server;
}

export async function poolOf(
  servers: readonly { readonly address: string }[],
  options: Partial<PoolOptions> = {},
) {
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = new Pool({
    registry,
    service: 'echo',
    drainTimeoutMs: 1_000,
    outlierDetection: false,
    // Connects in the order of the list: a shuffle by this leaves everything where it is.
    random: (n) => n - 1,
    ...options,
  });
  onTestFinished(() => pool.close());
  return pool;
}

/** A pool of which every connection is READY, so that the next picks go round them all. */
export async function readyPoolOf(...servers: RawServer[]): Promise<Pool> {
  const pool = await poolOf(servers);
  await expect.poll(() => pool.snapshot().ready, SOON).toBe(servers.length);
  return pool;
}

export function named(run: string): Metadata {
  const metadata = new Metadata();
  metadata.set(RUN, run);
  return metadata;
}

/** One call of a kind, by the stub; resolves with its code and details. */
export async function call(pool: Pool, kind: Kind, run: string, requests = [request('a')]): Promise<string> {
  const stub = pool.stub(EchoService);
  const options = { metadata: named(run) };
  const drain = async (replies: AsyncIterable<unknown>) => {
    for await (const _ of replies);
  };
  const calls = {
    unary: () => stub.unary(requests[0]!, options),
    serverStream: () => drain(stub.serverStream(requests[0]!, options)),
    clientStream: () => stub.clientStream(requests, options),
    bidi: () => drain(stub.bidi(requests, options)),
  };
  try {
    await calls[kind]();
    return '0 OK';
  } catch (thrown) {
    const { code, details } = thrown as ServiceError;
    return `${code} ${details}`;
  }
}

/** The same by a generated client on the pool. */
export async function callByClient(pool: Pool, kind: Kind, run: string): Promise<string> {
  const client = pool.client(EchoClient);
  return new Promise((resolve) => {
    const calls = {
      unary: () => client.unary(request('a'), named(run), () => {}),
      serverStream: () => client.serverStream(request('a'), named(run)),
      clientStream: () => client.clientStream(named(run), () => {}),
      bidi: () => client.bidi(named(run)),
    };
    const made = calls[kind]();
    if (made instanceof Writable) {
      made.write(request('a'));
      made.end();
    }
    if (made instanceof Readable) made.on('error', () => {}).resume();
    made.on('status', ({ code, details }) => resolve(code === 0 ? '0 OK' : `${code} ${details}`));
  });
}

export const names = (count: number) => Array.from({ length: count }, (_, i) => `call ${i}`);
