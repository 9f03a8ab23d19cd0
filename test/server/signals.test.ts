import { credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { EchoClient, type EchoReply } from '../../generated/evenkeel/echo/v1/echo.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import { SHUTDOWN_SIGNALS } from '../../src/server/shutdown.js';
import { ServerProcess, type ServerProcessOptions } from '../support/server-process.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Partial<ServerProcessOptions> = {}) {
  const registry = new MemoryRegistry();
  cleanups.push(() => registry.close());
  const server = await ServerProcess.start({
    service: 'echo',
    announceTo: { kind: 'ipc' },
    leases: registry.leases,
    ...options,
  });
  cleanups.push(() => server.kill());
  const client = new EchoClient(server.address, credentials.createInsecure());
  cleanups.push(() => client.close());
  const stop = new AbortController();
  cleanups.push(() => stop.abort());
  const changes = registry.watch('echo', stop.signal)[Symbol.asyncIterator]();
  /** Reads on until the registry holds exactly these. */
  const announced = async (...wanted: string[]) => {
    for (const held = new Map<string, string>(); ; ) {
      const { value: event } = await changes.next();
      if (event === undefined) throw new Error(`never announced: ${wanted}; last: ${[...held.values()]}`);
      if (event.kind === 'snapshot') held.clear();
      if (event.kind === 'snapshot') for (const { id, address } of event.endpoints) held.set(id, address);
      if (event.kind === 'changes') {
        for (const { id, address } of event.put) held.set(id, address);
        for (const id of event.removed) held.delete(id);
      }
      if ([...held.values()].join() === wanted.join()) return;
    }
  };
  await announced(server.address);
  return { server, client, announced };
}

function call(client: EchoClient, delayMs: number): Promise<EchoReply> {
  return new Promise((resolve, reject) => {
    const request = { payload: Buffer.alloc(0), delayMs, code: 0, details: '', count: 0 };
    client.unary(request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
  });
}

/** A call that the server has begun: it was received before this resolves. */
async function beginCall(server: ServerProcess, client: EchoClient, delayMs: number) {
  const { calls } = await server.report();
  const reply = call(client, delayMs).catch((error: ServiceError) => error);
  while ((await server.report()).calls === calls);
  return { reply };
}

describe('a server process that is told to stop', () => {
  it.each(SHUTDOWN_SIGNALS)(
    'at %s unregisters first, lets its call finish, and exits with 0',
    async (signal) => {
      const { server, client, announced } = await start();
      const { reply } = await beginCall(server, client, 1_000);

      server.signal(signal);
      await announced();
      expect(server.running).toBe(true);
      expect(await reply).toMatchObject({ server: server.address });
      expect(await server.exited).toEqual({ code: 0, signal: null });
    },
  );

  it('exits at once at the second signal', async () => {
    const { server, client, announced } = await start({ lameDuckMs: 3_600_000 });
    const { reply } = await beginCall(server, client, 3_600_000);

    server.signal('SIGTERM');
    await announced();
    expect(server.running).toBe(true);
    expect(await server.kill('SIGTERM')).toEqual({ code: 143, signal: null });
    expect(await reply).toBeInstanceOf(Error);
  });

  it('takes no longer than its drain timeout', async () => {
    const { server, client } = await start({ lameDuckMs: 0, drainTimeoutMs: 200 });
    const { reply } = await beginCall(server, client, 3_600_000);

    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await reply).toBeInstanceOf(Error);
  });
});
