// Calls that are made before there is any server: all that was done on them comes out when there is one.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, type EchoReply, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { MemoryRegistry } from '../../../src/registry/memory.js';
import { driveClient, driveStub, KINDS, type Kind, request, type Scenario, toldBy } from './drive.js';
import { answerAtEnd, RawServer } from './raw-server.js';
import { RUN, ScenarioServer } from './scenario-server.js';

const insecure = credentials.createInsecure();

/** A server that nobody knows of until it is announced, and a pool that waits for it. */
async function scene() {
  const server = await ScenarioServer.start();
  const registry = new MemoryRegistry();
  const pool = new Pool({ registry, service: 'echo', drainTimeoutMs: 1_000 });
  onTestFinished(async () => {
    await pool.close();
    await registry.close();
    server.close();
  });
  const announce = () => registry.register('echo', { address: server.address });
  const clients = { client: pool.client(EchoClient), channel: channelClient(pool) };
  return { server, registry, pool, announce, clients, stub: pool.stub(EchoService) };
}

function channelClient(pool: Pool): EchoClient {
  return new EchoClient('unused', insecure, { channelOverride: pool.channel });
}

function named(run: string): Metadata {
  const metadata = new Metadata();
  metadata.set(RUN, run);
  return metadata;
}

const SCENARIOS: readonly (Scenario & { readonly name: string })[] = [
  { name: 'succeeds', act: 'decorate' },
  { name: 'sends more than is kept', requests: Array(8).fill(request(Buffer.alloc(100_000), { count: 1 })) },
  { name: 'fails', act: 'fail after headers' },
  { name: 'is answered with nothing', act: 'say nothing' },
];

describe.each(KINDS)('%s, made before there is a server,', (kind) => {
  it.each(SCENARIOS)('shows what it shows with one, when it $name', async ({ name: _, ...scenario }) => {
    const { server, pool, announce, clients, stub } = await scene();
    const shown = Object.entries(clients).map(([name, client]) =>
      driveClient(client, kind, scenario, { server, name }),
    );
    const told = driveStub(stub, kind, scenario, { server, name: 'stub' });
    expect(pool.snapshot()).toMatchObject({ waiting: 3, pending: 0 });
    announce();

    const bare = new EchoClient(server.address, insecure);
    onTestFinished(() => bare.close());
    const expected = await driveClient(bare, kind, scenario, { server, name: 'bare' });
    for (const events of shown) expect(await events).toEqual(expected);
    expect(await told).toEqual(toldBy(expected));
    for (const name of ['client', 'channel', 'stub']) {
      await expect.poll(() => server.journal(name)).toEqual(server.journal('bare'));
    }
    expect(pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
  });

  it('sends the metadata as they were', async () => {
    const { server, announce, clients, stub } = await scene();
    const given: Metadata[] = [];
    const scenario = {
      metadata: () => {
        const metadata = new Metadata();
        metadata.set('when', 'made');
        given.push(metadata);
        return metadata;
      },
    };
    const calls = [
      driveClient(clients.client, kind, scenario, { server, name: 'client' }),
      driveStub(stub, kind, scenario, { server, name: 'stub' }),
    ];
    for (const metadata of given) metadata.set('when', 'later');
    announce();
    await Promise.all(calls);
    for (const name of ['client', 'stub']) {
      expect(server.journal(name)[0], name).toMatchObject({ metadata: { when: ['made'] } });
    }
  });

  it('is cancelled, and never sent', async () => {
    const { server, pool, announce, clients, stub } = await scene();
    const scenario: Scenario = { cancel: 'at once' };
    const status = { code: 1, details: 'Cancelled on client', metadata: {} };
    for (const [name, client] of Object.entries(clients)) {
      const shown = await driveClient(client, kind, scenario, { server, name });
      expect(shown.find((event) => event.kind === 'status')).toEqual({ kind: 'status', status });
      expect(shown.filter((event) => event.kind !== 'end')).toHaveLength(2);
    }
    const told = await driveStub(stub, kind, scenario, { server, name: 'stub' });
    expect(told).toEqual({ headers: undefined, messages: [], end: status });
    expect(pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
    announce();
    await stub.unary(request('next'), { metadata: named('next') });
    expect(server.arrivals).toEqual(['next']);
  });

  it('ends at its deadline, and is never sent', async () => {
    const { server, pool, announce, clients, stub } = await scene();
    const scenario: Scenario = { options: () => ({ deadline: Date.now() + 50 }) };
    const end = { code: 4, details: 'Deadline exceeded' };
    const all = Object.entries(clients).map(([name, client]) =>
      driveClient(client, kind, scenario, { server, name }),
    );
    const told = await driveStub(stub, kind, scenario, { server, name: 'stub' });
    expect(told).toEqual({ headers: undefined, messages: [], end });
    for (const shown of await Promise.all(all)) expect(toldBy(shown)).toEqual(told);
    expect(pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
    announce();
    await stub.unary(request('next'), { metadata: named('next') });
    expect(server.arrivals).toEqual(['next']);
  });
});

describe('calls of all kinds, made before there is a server,', () => {
  it('are sent in the order in which they were made', async () => {
    const { server, pool, announce, clients, stub } = await scene();
    const names: string[] = [];
    const ends: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      const kind = KINDS[(i * 7) % KINDS.length] as Kind;
      const run = { server, name: `${i}` };
      names.push(run.name);
      if (i % 3 === 0) ends.push(driveStub(stub, kind, {}, run));
      else ends.push(driveClient(i % 3 === 1 ? clients.client : clients.channel, kind, {}, run));
    }
    expect(pool.snapshot().waiting).toBe(60);
    announce();
    await Promise.all(ends);
    expect(server.arrivals).toEqual(names);
  });

  it('have that much less time left', async () => {
    const { registry, stub } = await scene();
    const timeouts: string[] = [];
    const server = await RawServer.start((call) => {
      timeouts.push(String(call.headers['grpc-timeout']));
      answerAtEnd(call);
    });
    onTestFinished(() => server.close());
    const call = stub.unary(request('a'), { timeoutMs: 60_000 });
    await sleep(100);
    registry.register('echo', { address: server.address });
    await call;
    expect(timeouts).toEqual([expect.stringMatching(/^5\d{4}m$/)]);
    expect(Number.parseInt(timeouts[0]!, 10)).toBeLessThanOrEqual(59_900);
  });

  it('fail when the pool closes, and others with them', async () => {
    const { pool, stub, clients } = await scene();
    const failures = [
      stub.unary(request('a')),
      stub.serverStream(request('a')).next(),
      stub.clientStream([request('a')]),
      stub.bidi([request('a')]).next(),
      new Promise<EchoReply>((resolve, reject) => {
        clients.client.unary(request('a'), (error, reply) => (error ? reject(error) : resolve(reply)));
      }),
    ].map((call) => call.then(() => undefined).catch((error: ServiceError) => error));
    await pool.close();
    failures.push(
      stub
        .unary(request('b'))
        .then(() => undefined)
        .catch((error: ServiceError) => error),
    );
    for (const failure of failures) {
      expect(await failure).toMatchObject({ code: 14, details: 'the pool of echo is closed' });
    }
  });
});

describe('a request stream whose call has failed before there was a server', () => {
  it('keeps no writer waiting', async () => {
    const { clients } = await scene();
    const call = clients.client.clientStream(() => {});
    const write = (name: string) => new Promise((resolve) => call.write(request(name), resolve));
    const written = [write('a'), write('b')];
    const over = once(call, 'status');
    call.cancel();
    await over;
    await Promise.all([...written, write('c')]);
    call.end();
    await once(call, 'finish');
  });
});

describe('a client that waits for its pool to be ready', () => {
  function ready(client: EchoClient, deadline: number | Date): Promise<Error | undefined> {
    return new Promise((resolve) => client.waitForReady(deadline, resolve));
  }

  it('is told when it is', async () => {
    const { announce, clients } = await scene();
    const told = ready(clients.client, Date.now() + 10_000);
    announce();
    expect(await told).toBeUndefined();
    expect(await ready(clients.channel, Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  it('is told when it is not in time, in the words of grpc-js', async () => {
    const { clients } = await scene();
    const bare = new EchoClient('127.0.0.1:1', insecure);
    onTestFinished(() => bare.close());
    for (const client of [bare, clients.client]) {
      for (const deadline of [Date.now() + 50, new Date(Date.now() - 1)]) {
        expect(await ready(client, deadline)).toEqual(new Error('Failed to connect before the deadline'));
      }
    }
  });

  // A bare client means to say so as well, but looking at its channel brings that back to life.
  it('is told when it is closed', async () => {
    const { pool, clients } = await scene();
    const waiting = ready(clients.client, Number.POSITIVE_INFINITY);
    await new Promise(setImmediate);
    await pool.close();
    const closed = new Error('The channel has been closed');
    expect(await waiting).toEqual(closed);
    expect(await ready(clients.channel, Date.now() + 60_000)).toEqual(closed);
  });
});
