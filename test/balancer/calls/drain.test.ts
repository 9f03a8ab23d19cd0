// Endpoints that are removed, and servers that are told to stop, while calls and streams run on them.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { PoolEventMessage } from '../../../src/balancer/pool/diagnostics.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { MemoryRegistry } from '../../../src/registry/memory.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { ServerProcess, type ServerProcessOptions } from '../../support/server-process.js';
import { request } from './drive.js';
import { SOON } from './repick.js';
import { ScenarioServer } from './scenario-server.js';

/** Servers in this process, announced in a registry, and a pool that is connected to all of them. */
async function fleet(size: number, options: Partial<PoolOptions> = {}) {
  const registry = new MemoryRegistry();
  const servers = await Promise.all(Array.from({ length: size }, () => ScenarioServer.start()));
  const registrations = servers.map(({ address }) => registry.register('echo', { address }));
  const pool = new Pool({ registry, service: 'echo', massRemovalGuard: false, ...options });
  onTestFinished(async () => {
    await pool.close();
    await registry.close();
    for (const server of servers) server.close();
  });
  await expect.poll(() => pool.snapshot().ready, SOON).toBe(size);
  return { servers, registrations, pool, echo: pool.stub(EchoService) };
}

/** A stream of replies, each so long after the last, and what has come of it. */
function stream(pool: Pool, count: number, delayMs: number) {
  const seen: number[] = [];
  const end = (async () => {
    for await (const reply of pool.stub(EchoService).bidi(slowly(count, delayMs))) seen.push(reply.seen);
  })();
  end.catch(() => {});
  return { seen, end };
}

async function* slowly(count: number, delayMs: number) {
  for (let n = 0; n < count; n++) {
    yield request('a');
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

describe('an endpoint that is removed', () => {
  it('gets no new calls, and its stream goes on to its end, of which it is told', async () => {
    const states: string[] = [];
    const hear = (message: unknown) => {
      const { service, event } = message as PoolEventMessage;
      if (service === 'echo' && event.kind === 'subchannel' && event.from !== 'queued') {
        states.push(`${event.from} ${event.state.kind}`);
      }
    };
    const { servers, registrations, pool, echo } = await fleet(2);
    const running = stream(pool, 8, 50);
    await expect.poll(() => running.seen.length, SOON).toBeGreaterThan(0);
    const busy = servers.findIndex(({ arrivals }) => arrivals.length === 1);
    subscribe('evenkeel:pool', hear);
    onTestFinished(() => void unsubscribe('evenkeel:pool', hear));
    await registrations[busy]!.close();
    await expect
      .poll(() => pool.snapshot().subchannels.map(({ state }) => state.kind), SOON)
      .toEqual(['ready', 'draining']);
    for (let n = 0; n < 10; n++) await echo.unary(request('a'));
    expect(servers[busy]!.arrivals.length).toBe(1);
    expect(servers[1 - busy]!.arrivals.length).toBe(10);
    await running.end;
    expect(running.seen.length).toBe(8);
    expect(pool.snapshot().subchannels.map(({ state }) => state.kind)).toEqual(['ready']);
    expect(states).toEqual(['ready draining', 'draining closed']);
  });

  it.each(['stub', 'generated client'])(
    'has the calls that are not over in time cancelled with UNAVAILABLE, of a %s',
    async (way) => {
      const { servers, registrations, pool } = await fleet(1, { drainTimeoutMs: 150 });
      const failed =
        way === 'stub'
          ? stream(pool, 1_000, 20).end.catch((error: ServiceError) => error)
          : new Promise<ServiceError>((resolve) => {
              const call = pool.client(EchoClient).bidi();
              call.on('data', () => {}).on('error', (error) => resolve(error as ServiceError));
              call.write(request('a'));
            });
      await expect.poll(() => servers[0]!.arrivals.length, SOON).toBe(1);
      const removedAt = performance.now();
      await registrations[0]!.close();
      const { address } = servers[0]!;
      expect(await failed).toMatchObject({
        code: status.UNAVAILABLE,
        details: `${address} is not announced any more, and was given 150 ms to finish`,
      });
      expect(performance.now() - removedAt).toBeGreaterThanOrEqual(149);
      await servers[0]!.saw('unnamed', (entries) => entries.some(({ kind }) => kind === 'over'));
      expect(pool.snapshot()).toMatchObject({ pending: 0, subchannels: [] });
    },
  );
});

describe('a server that is told to stop', () => {
  async function processes(options: Partial<ServerProcessOptions>, pooled: Partial<PoolOptions> = {}) {
    const registry = new MemoryRegistry();
    const start = () =>
      ServerProcess.start({
        service: 'echo',
        announceTo: { kind: 'ipc' },
        leases: registry.leases,
        lameDuckMs: 300,
        ...options,
      });
    const servers = await Promise.all([start(), start()]);
    const pool = new Pool({ registry, service: 'echo', ...pooled });
    onTestFinished(async () => {
      await pool.close();
      await Promise.all(servers.map((server) => server.kill()));
      await registry.close();
    });
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(2);
    return { servers, pool, echo: pool.stub(EchoService) };
  }

  it('loses no call and no stream, and exits with 0', async () => {
    const { servers, pool, echo } = await processes({});
    const [leaving, staying] = servers;
    // One on each server.
    const streams = [stream(pool, 20, 40), stream(pool, 20, 40)];
    await expect.poll(() => streams.every(({ seen }) => seen.length > 0), SOON).toBe(true);
    let stop = false;
    const calls = Array.from({ length: 8 }, async () => {
      let made = 0;
      for (; !stop; made++) await echo.unary(request('a'));
      return made;
    });
    const exit = await leaving!.kill('SIGTERM');
    stop = true;
    for (const made of await Promise.all(calls)) expect(made).toBeGreaterThan(0);
    await Promise.all(streams.map(({ end }) => end));
    expect(streams.map(({ seen }) => seen.length)).toEqual([20, 20]);
    expect(exit).toEqual({ code: 0, signal: null });
    expect(pool.snapshot().pending).toBe(0);
    expect((await echo.unary(request('a'))).server).toBe(staying!.address);
  });

  it('loses no call of a client that is not told by the registry, but checks health', async () => {
    const { servers } = await processes({ health: true });
    const [leaving] = servers;
    const registry = staticRegistry(servers.map(({ address }) => address));
    const pool = new Pool({ registry, service: 'echo', healthCheck: true });
    onTestFinished(() => pool.close());
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(2);
    const echo = pool.stub(EchoService);
    const answered = new Set<string>();
    let stop = false;
    const calls = Array.from({ length: 4 }, async () => {
      while (!stop) answered.add((await echo.unary(request('a'))).server);
    });
    const exit = leaving!.kill('SIGTERM');
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(1);
    expect(leaving!.running).toBe(true);
    expect((await exit).code).toBe(0);
    stop = true;
    await Promise.all(calls);
    expect(answered.size).toBe(2);
  });
});
