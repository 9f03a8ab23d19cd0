import { type ClientReadableStream, credentials, Server, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type HealthCheckResponse,
  HealthClient,
  type HealthListResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../generated/grpc/health/v1/health.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import type { Registrar } from '../../src/registry/registry.js';
import { Health } from '../../src/server/health.js';
import { serve } from '../../src/server/serve.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(wrapped: (registrar: Registrar) => Registrar = (registrar) => registrar) {
  const clock = new VirtualClock();
  const registry = new MemoryRegistry({ clock });
  const health = new Health();
  const server = new Server();
  cleanups.push(() => server.forceShutdown());
  const serving = await serve(server, {
    registrar: wrapped(registry),
    service: 'healthy',
    address: '127.0.0.1:0',
    signals: [],
    clock,
    health,
  });
  const client = new HealthClient(serving.address, credentials.createInsecure());
  cleanups.push(() => client.close());
  return { clock, health, serving, client };
}

function check(client: HealthClient, service: string): Promise<ServingStatus | ServiceError> {
  return new Promise((resolve) => {
    client.check({ service }, (error, reply) => resolve(error ?? reply.status));
  });
}

function list(client: HealthClient): Promise<HealthListResponse> {
  return new Promise((resolve, reject) => {
    client.list({}, (error, reply) => (error === null ? resolve(reply) : reject(error)));
  });
}

/** A watch, read one answer at a time; `next` gives the code that it ended with when there is no more. */
class Watched {
  readonly #heard: (ServingStatus | { readonly code: number })[] = [];
  #wake = () => {};
  readonly #stream: ClientReadableStream<HealthCheckResponse>;

  constructor(client: HealthClient, service: string) {
    this.#stream = client.watch({ service });
    this.#stream.on('data', (reply: HealthCheckResponse) => this.#hear(reply.status));
    this.#stream.on('status', ({ code }) => this.#hear({ code }));
    this.#stream.on('error', () => {});
    cleanups.push(() => this.#stream.cancel());
  }

  async next(): Promise<ServingStatus | { readonly code: number }> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#heard.shift()!;
  }

  cancel(): void {
    this.#stream.cancel();
  }

  #hear(what: ServingStatus | { readonly code: number }): void {
    this.#heard.push(what);
    this.#wake();
  }
}

describe('Check', () => {
  it('says what was set, of the server at first that it serves, and NOT_FOUND of what it does not know', async () => {
    const { health, client } = await start();
    expect(await check(client, '')).toBe(SERVING);
    expect(await check(client, 'a.A')).toMatchObject({
      code: status.NOT_FOUND,
      details: 'unknown service "a.A"',
    });
    health.set('a.A', true);
    expect(await check(client, 'a.A')).toBe(SERVING);
    health.set('a.A', false);
    expect(await check(client, 'a.A')).toBe(NOT_SERVING);
    expect(await check(client, '')).toBe(SERVING);
  });
});

describe('List', () => {
  it('says it of all', async () => {
    const { health, client } = await start();
    health.set('a.A', false);
    expect(await list(client)).toEqual({
      statuses: { '': { status: SERVING }, 'a.A': { status: NOT_SERVING } },
    });
  });
});

describe('Watch', () => {
  it('says what is, SERVICE_UNKNOWN of what is not known yet, and then each change once', async () => {
    const { health, client } = await start();
    const watched = new Watched(client, 'a.A');
    const other = new Watched(client, 'a.A');
    expect(await watched.next()).toBe(SERVICE_UNKNOWN);
    expect(await other.next()).toBe(SERVICE_UNKNOWN);
    other.cancel();
    expect(await other.next()).toEqual({ code: status.CANCELLED });
    health.set('b.B', true);
    for (const serves of [true, true, false, false, true]) health.set('a.A', serves);
    expect([await watched.next(), await watched.next(), await watched.next()]).toEqual([
      SERVING,
      NOT_SERVING,
      SERVING,
    ]);
  });

  it('that comes when they have been ended is told how it is, and ends: it would hold up the shutdown', async () => {
    const { health, client } = await start();
    health.leave();
    health.end();
    const watched = new Watched(client, '');
    expect([await watched.next(), await watched.next()]).toEqual([NOT_SERVING, { code: status.OK }]);
  });
});

describe('a server that leaves', () => {
  it('says NOT_SERVING before it is unregistered, and serves on meanwhile', async () => {
    let saidThen: unknown;
    const { clock, serving, client } = await start((registrar) => ({
      register(...args) {
        const registration = registrar.register(...args);
        const close = registration.close.bind(registration);
        registration.close = async () => {
          saidThen = await check(client, '');
          await close();
        };
        return registration;
      },
    }));
    const watched = new Watched(client, '');
    expect(await watched.next()).toBe(SERVING);
    const closed = serving.close();
    expect(await watched.next()).toBe(NOT_SERVING);
    while (saidThen === undefined) await new Promise(setImmediate);
    expect(saidThen).toBe(NOT_SERVING);
    while (clock.pending === 0) await new Promise(setImmediate);
    await clock.advance(500);
    await closed;
  });

  it('ends its watches, so that they do not hold it up until its drain timeout', async () => {
    const { clock, health, serving, client } = await start();
    health.set('a.A', true);
    const watches = ['', 'a.A', 'unknown'].map((service) => new Watched(client, service));
    expect(await Promise.all(watches.map((watched) => watched.next()))).toEqual([
      SERVING,
      SERVING,
      SERVICE_UNKNOWN,
    ]);
    const closed = serving.close();
    health.set('', true);
    expect(await watches[0]!.next()).toBe(NOT_SERVING);
    expect(await watches[1]!.next()).toBe(NOT_SERVING);
    while (clock.pending === 0) await new Promise(setImmediate);
    await clock.advance(500);
    // Time stands still from here: nothing but the ends of the watches lets it be over.
    await closed;
    for (const watched of watches) expect(await watched.next()).toEqual({ code: status.OK });
  });
});
