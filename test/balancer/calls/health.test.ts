// Health checks between a pool and real servers.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { HealthClient } from '../../../generated/grpc/health/v1/health.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { Health } from '../../../src/server/health.js';
import { echo } from '../../support/services.js';
import { request } from './drive.js';
import { poolOf, SOON } from './repick.js';

interface Healthy {
  readonly address: string;
  readonly health: Health;
}

/** A server in this process; without `health` it does not have the service. */
async function start(health?: Health): Promise<Healthy> {
  const server = new Server();
  let address = '';
  server.addService(EchoService, echo({ address: () => address }));
  health?.addTo(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  address = `127.0.0.1:${port}`;
  onTestFinished(() => server.forceShutdown());
  return { address, health: health ?? new Health() };
}

/** Who answers the next calls. */
async function answering(pool: Pool, calls = 6): Promise<Set<string>> {
  const stub = pool.stub(EchoService);
  const replies = await Promise.all(
    Array.from({ length: calls }, () => stub.unary(request('a'), { timeoutMs: 5_000 })),
  );
  return new Set(replies.map(({ server }) => server));
}

const ready = (pool: Pool, count: number) => expect.poll(() => pool.snapshot().ready, SOON).toBe(count);

async function checked(servers: readonly Healthy[], healthCheck: PoolOptions['healthCheck'] = true) {
  const pool = await poolOf(servers, { healthCheck });
  await ready(pool, servers.length);
  return pool;
}

describe('a server that says that it does not serve', () => {
  it('is not picked until it says that it does', async () => {
    const [first, second] = [await start(new Health()), await start(new Health())];
    const pool = await checked([first, second]);
    expect(await answering(pool)).toEqual(new Set([first.address, second.address]));
    first.health.set('', false);
    await ready(pool, 1);
    expect(await answering(pool)).toEqual(new Set([second.address]));
    const row = pool.snapshot().subchannels.find(({ endpoint }) => endpoint.address === first.address);
    expect(row).toMatchObject({ serving: false, state: { kind: 'ready' } });
    first.health.set('', true);
    await ready(pool, 2);
    expect(await answering(pool)).toEqual(new Set([first.address, second.address]));
  });

  it('finishes the calls that it has', async () => {
    const server = await start(new Health());
    const pool = await checked([server]);
    const running = pool.stub(EchoService).unary(request('a', { delayMs: 200 }));
    server.health.set('', false);
    await ready(pool, 0);
    expect((await running).server).toBe(server.address);
  });

  it('has calls wait when there is no other', async () => {
    const server = await start(new Health());
    const pool = await checked([server]);
    server.health.set('', false);
    await ready(pool, 0);
    const waiting = answering(pool, 1);
    await expect.poll(() => pool.snapshot().waiting, SOON).toBe(1);
    server.health.set('', true);
    expect(await waiting).toEqual(new Set([server.address]));
  });
});

describe('a pool that checks health', () => {
  it('picks a server that has no such service', async () => {
    const [plain, other] = [await start(), await start(new Health())];
    expect(await answering(await checked([plain, other]))).toEqual(new Set([plain.address, other.address]));
  });

  it('asks for the service that it is told to ask for', async () => {
    const server = await start(new Health());
    const pool = await poolOf([server], { healthCheck: { service: 'shop' } });
    const row = () => pool.snapshot().subchannels[0]!;
    await expect.poll(() => row().state.kind, SOON).toBe('ready');
    expect(pool.snapshot().ready).toBe(0);
    server.health.set('shop', true);
    await ready(pool, 1);
    server.health.set('', false);
    expect(await answering(pool)).toEqual(new Set([server.address]));
  });

  it('asks nothing of its servers when it is not told to', async () => {
    const server = await start(new Health());
    server.health.set('', false);
    const pool = await poolOf([server]);
    await ready(pool, 1);
    expect(await answering(pool)).toEqual(new Set([server.address]));
  });

  it('answers checks through the pool like any other service', async () => {
    const server = await start(new Health());
    const pool = await poolOf([server]);
    const status = await new Promise((resolve, reject) => {
      pool
        .client(HealthClient)
        .check({ service: '' }, (error, reply) => (error === null ? resolve(reply.status) : reject(error)));
    });
    expect(status).toBe(1);
  });
});
