import { createServer } from 'node:net';
import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EchoClient, type EchoReply, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { seededRandom } from '../../src/base/random.js';
import { DEFAULT_PREFIX } from '../../src/registry/keys.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import { LeaseRegistrar } from '../../src/registry/registrar.js';
import type { Registrar } from '../../src/registry/registry.js';
import { announce, type Serving } from '../../src/server/announce.js';
import { type ServeOptions, serve } from '../../src/server/serve.js';
import { SHUTDOWN_SIGNALS } from '../../src/server/shutdown.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { echo } from '../support/services.js';

/** As soon as it is so: a machine may be as slow as it likes. */
const eventually = (look: () => unknown) => vi.waitFor(look, { timeout: 60_000, interval: 5 });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Fixture {
  readonly clock: VirtualClock;
  readonly registry: MemoryRegistry;
  readonly server: Server;
  readonly serving: Serving;
}

function newServer(): Server {
  const server = new Server();
  server.addService(EchoService, echo({ address: () => 'here' }));
  cleanups.push(() => server.forceShutdown());
  return server;
}

async function start(options: Partial<ServeOptions> = {}): Promise<Fixture> {
  const clock = new VirtualClock();
  const registry = new MemoryRegistry({ clock });
  const server = newServer();
  const serving = await serve(server, {
    registrar: registry,
    service: 'echo',
    address: '127.0.0.1:0',
    signals: [],
    clock,
    ...options,
  });
  await serving.registration.registered();
  return { clock, registry, server, serving };
}

async function announced(registry: MemoryRegistry, service = 'echo'): Promise<string[]> {
  const stop = new AbortController();
  for await (const event of registry.watch(service, stop.signal)) {
    if (event.kind === 'snapshot') return event.endpoints.map(({ address }) => address);
  }
  throw new Error('the watch ended without a snapshot');
}

function clientOf({ serving }: Fixture): EchoClient {
  const client = new EchoClient(serving.address, credentials.createInsecure());
  cleanups.push(() => client.close());
  return client;
}

function call(client: EchoClient): Promise<EchoReply> {
  return new Promise((resolve, reject) => {
    const request = { payload: Buffer.from('x'), delayMs: 0, code: 0, details: '', count: 0 };
    client.unary(request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
  });
}

/** A stream of so many replies, once the first has come; `rest` is how many come after it. */
function begun(client: EchoClient, count: number): Promise<{ readonly rest: Promise<number> }> {
  const stream = client.serverStream({ payload: Buffer.alloc(0), delayMs: 10, code: 0, details: '', count });
  let replies = 0;
  const rest = new Promise<number>((resolve, reject) => {
    stream.on('end', () => resolve(replies - 1));
    stream.on('error', reject);
  });
  rest.catch(() => {});
  return new Promise((resolve) => {
    stream.on('data', () => {
      replies += 1;
      resolve({ rest });
    });
  });
}

/** Holds a port until the test ends. */
async function takenPort(): Promise<number> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => holder.close(resolve)));
  return (holder.address() as { port: number }).port;
}

describe('serve', () => {
  it('announces the port that was bound for port 0', async () => {
    const fixture = await start({ weight: 3, metadata: { zone: 'a' } });

    expect(fixture.serving.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
    expect(await announced(fixture.registry)).toEqual([fixture.serving.address]);
    expect((await call(clientOf(fixture))).server).toBe('here');
  });

  it('announces what it is told to advertise, with the bound port', async () => {
    const { registry, serving } = await start({ address: '0.0.0.0:0', advertise: '127.0.0.1' });

    expect(serving.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
    expect(await announced(registry)).toEqual([serving.address]);
  });

  it('says in one clear error that a port is taken, announces nothing, and lets grpc-js say nothing', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    cleanups.push(() => logged.mockRestore());
    const registry = new MemoryRegistry({ clock: new VirtualClock() });
    const address = `127.0.0.1:${await takenPort()}`;

    await expect(
      serve(newServer(), { registrar: registry, service: 'echo', address, signals: [] }),
    ).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `cannot listen on ${address}: ${address} is in use by another process; choose another port, or 0 for any free one`,
    });
    expect(await announced(registry)).toEqual([]);
    expect(logged).not.toHaveBeenCalled();
  });

  it.each([
    [{ address: 'no.such.host.invalid:0' }, 'LISTEN_FAILED', /no\.such\.host\.invalid cannot be resolved/],
    [{ address: '192.0.2.1:0' }, 'LISTEN_FAILED', /no such address/],
    [{ address: 'localhost' }, 'INVALID_ADDRESS', /"localhost".* not host:port/],
    [{ address: '0.0.0.0:0' }, 'INVALID_ADDRESS', /`advertise`/],
    [{ lameDuckMs: -1 }, 'INVALID_OPTION', /lameDuckMs is -1/],
    [{ drainTimeoutMs: Number.NaN }, 'INVALID_OPTION', /drainTimeoutMs is NaN/],
    [{ weight: -1 }, 'INVALID_OPTION', /weight -1/],
    [{ ttlSeconds: 0 }, 'INVALID_OPTION', /ttlSeconds 0/],
    [{ lameDuckMs: '500' }, 'INVALID_OPTION', /lameDuckMs is "500"/],
    [{ lameDuckMs: Number.POSITIVE_INFINITY }, 'INVALID_OPTION', /lameDuckMs is Infinity/],
    [{ drainTimeoutMs: '25000' }, 'INVALID_OPTION', /drainTimeoutMs is "25000"/],
    [{ ttlSeconds: '15' }, 'INVALID_OPTION', /ttlSeconds/],
    [{ weight: '1' }, 'INVALID_OPTION', /weight/],
    [{ signals: ['SIGKILL'] }, 'INVALID_OPTION', /signals is \["SIGKILL"\]/],
    [{ signals: ['SIGTRM'] }, 'INVALID_OPTION', /signals is \["SIGTRM"\]/],
    [{ signals: 'SIGTERM' }, 'INVALID_OPTION', /signals is "SIGTERM"/],
  ] as const)('refuses %j', async (options, code, message) => {
    const registry = new MemoryRegistry({ clock: new VirtualClock() });
    const server = newServer();
    const given = {
      registrar: registry,
      service: 'echo',
      address: '127.0.0.1:0',
      signals: [],
      ...options,
    } as ServeOptions;

    await expect(serve(server, given)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(await announced(registry)).toEqual([]);
  });

  it('holds no port when the endpoint cannot be announced', async () => {
    const registry = new MemoryRegistry({ clock: new VirtualClock() });
    const port = await takenPort();
    await cleanups.pop()?.();
    const options = { registrar: registry, service: 'echo', address: `127.0.0.1:${port}`, signals: [] };

    await expect(serve(newServer(), { ...options, weight: -1 })).rejects.toThrow(/weight/);
    const serving = await serve(newServer(), { ...options, clock: new VirtualClock() });
    expect(serving.address).toBe(options.address);
  });
});

describe('announce', () => {
  it('announces a server that listens already, until it is closed', async () => {
    const registry = new MemoryRegistry({ clock: new VirtualClock() });
    const server = newServer();
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
    });
    const address = `127.0.0.1:${port}`;

    const serving = announce(server, {
      registrar: registry,
      service: 'echo',
      address,
      signals: [],
      lameDuckMs: 0,
    });
    await serving.registration.registered();
    expect(await announced(registry)).toEqual([address]);
    await serving[Symbol.asyncDispose]();
    expect(await announced(registry)).toEqual([]);
  });
});

describe('close', () => {
  it('unregisters, serves on for the lame-duck time, and then lets no one in', async () => {
    const fixture = await start();
    const { clock, registry, serving } = fixture;
    const client = clientOf(fixture);
    await call(client);

    const closed = vi.fn();
    void serving.close().then(closed);
    await eventually(() => expect(serving.registration.state.kind).toBe('closed'));
    expect(await announced(registry)).toEqual([]);
    await clock.advance(499);
    await call(client);
    expect(closed).not.toHaveBeenCalled();

    await clock.advance(1);
    await eventually(() => expect(closed).toHaveBeenCalled());
    await expect(call(client)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(clock.pending).toBe(0);
  });

  it('lets a call in flight finish', async () => {
    const fixture = await start({ lameDuckMs: 0 });
    const stream = await begun(clientOf(fixture), 20);

    const closing = fixture.serving.close();
    await fixture.clock.advance(0);
    expect(await stream.rest).toBe(19);
    await closing;
    expect(fixture.clock.pending).toBe(0);
  });

  it('cancels what is left after the drain timeout', async () => {
    const fixture = await start({ lameDuckMs: 0, drainTimeoutMs: 10_000 });
    const { clock, serving } = fixture;
    const stream = await begun(clientOf(fixture), 1_000_000);

    const closed = vi.fn();
    void serving.close().then(closed);
    await eventually(() => expect(serving.registration.state.kind).toBe('closed'));
    await clock.advance(9_999);
    expect(closed).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(closed).toHaveBeenCalled();
    await expect(stream.rest).rejects.toThrow(/CANCELLED|UNAVAILABLE/);
  });

  it('waits as long as it is told to, however far that is', async () => {
    const far = Number.MAX_SAFE_INTEGER;
    const { clock, serving } = await start({ lameDuckMs: far, drainTimeoutMs: far });
    const closed = vi.fn();
    void serving.close().then(closed);
    await eventually(() => expect(serving.registration.state.kind).toBe('closed'));
    await clock.advance(10 * 365 * 86_400_000);
    expect(closed).not.toHaveBeenCalled();
  });

  describe('with a mistake in what is not ours', () => {
    /** What the process was warned of. */
    function warnings(): Error[] {
      const heard: Error[] = [];
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
        heard.push(new Error(String(warning)));
      });
      cleanups.push(() => warned.mockRestore());
      return heard;
    }

    it('registers and unregisters though its logger throws, which is told once', async () => {
      const heard = warnings();
      const fail = () => {
        throw new Error('no disk');
      };
      const clock = new VirtualClock();
      const registry = new MemoryRegistry({ clock });
      const registrar = new LeaseRegistrar({
        leases: registry.leases,
        prefix: DEFAULT_PREFIX,
        clock,
        random: seededRandom(1),
        logger: { info: fail, warn: fail },
      });
      const { serving } = await start({ registrar, clock, lameDuckMs: 0 });
      expect(await announced(registry)).toEqual([serving.address]);
      const closing = serving.close();
      await eventually(() => expect(serving.registration.state.kind).toBe('closed'));
      await clock.advance(0);
      await closing;
      expect(await announced(registry)).toEqual([]);
      expect(heard.map(({ message }) => message)).toEqual(['the logger has thrown: no disk']);
    });

    const broken = {
      rejects: () => Promise.reject(new Error('no registry')),
      throws: () => {
        throw new Error('no registry');
      },
    };
    it.each(Object.entries(broken))('drains though unregistering %s', async (_, close) => {
      const heard = warnings();
      const clock = new VirtualClock();
      const registry = new MemoryRegistry({ clock });
      const registrar: Registrar = {
        register: (...args) => Object.assign(registry.register(...args), { close }),
      };
      const fixture = await start({ registrar, clock, lameDuckMs: 0 });
      const stream = await begun(clientOf(fixture), 5);
      const closing = fixture.serving.close();
      await eventually(() => expect(heard).toHaveLength(1));
      await clock.advance(0);
      expect(await stream.rest).toBe(4);
      await closing;
      expect(heard[0]!.message).toBe('the registration has thrown: no registry');
    });

    it('drains though unregistering does not end, after 3 s', async () => {
      const clock = new VirtualClock();
      const registry = new MemoryRegistry({ clock });
      const registrar: Registrar = {
        register: (...args) =>
          Object.assign(registry.register(...args), { close: () => new Promise(() => {}) }),
      };
      const { serving } = await start({ registrar, clock, lameDuckMs: 0 });
      const closed = vi.fn();
      void serving.close().then(closed);
      await clock.advance(2_999);
      expect(closed).not.toHaveBeenCalled();
      await clock.advance(1);
      await eventually(() => expect(closed).toHaveBeenCalled());
    });
  });

  it('happens once, whoever asks and how often, and takes the signal handlers away', async () => {
    const before = SHUTDOWN_SIGNALS.map((signal) => process.listenerCount(signal));
    const { serving, clock } = await start({ signals: SHUTDOWN_SIGNALS, lameDuckMs: 0 });
    expect(SHUTDOWN_SIGNALS.map((signal) => process.listenerCount(signal))).toEqual(before.map((n) => n + 1));

    const closing = serving.close();
    expect(serving.close()).toBe(closing);
    await clock.advance(0);
    await closing;
    expect(SHUTDOWN_SIGNALS.map((signal) => process.listenerCount(signal))).toEqual(before);
  });
});

describe('signals', () => {
  /** With listeners of its own for as long as it runs, and with ends of the process that only are noted. */
  async function signalled(exit: boolean) {
    const ended = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    const killed = vi.spyOn(process, 'kill').mockImplementation(() => true);
    cleanups.push(
      () => ended.mockRestore(),
      () => killed.mockRestore(),
    );
    const fixture = await start({ signals: ['SIGINT', 'SIGUSR2'], exit });
    cleanups.push(async () => {
      const closed = fixture.serving.close();
      await eventually(() => expect(fixture.serving.registration.state.kind).toBe('closed'));
      await fixture.clock.advance(500);
      await closed;
    });
    return { ...fixture, ended, killed };
  }

  it('takes a second SIGINT at the same moment for an echo, and a later one at its word', async () => {
    const { clock, ended } = await signalled(true);
    process.emit('SIGINT', 'SIGINT');
    await clock.advance(99);
    process.emit('SIGINT', 'SIGINT');
    expect(ended).not.toHaveBeenCalled();
    await clock.advance(1);
    process.emit('SIGINT', 'SIGINT');
    expect(ended).toHaveBeenCalledExactlyOnceWith(130);
  });

  it('takes any other second signal at its word at once', async () => {
    const { ended } = await signalled(true);
    process.emit('SIGUSR2', 'SIGUSR2');
    process.emit('SIGUSR2', 'SIGUSR2');
    expect(ended).toHaveBeenCalledExactlyOnceWith(140);
  });

  it('leaves the process alone without `exit`, and a second signal to its default', async () => {
    const { clock, ended, killed, serving } = await signalled(false);
    process.emit('SIGUSR2', 'SIGUSR2');
    process.emit('SIGUSR2', 'SIGUSR2');
    expect(killed).toHaveBeenCalledExactlyOnceWith(process.pid, 'SIGUSR2');
    await eventually(() => expect(serving.registration.state.kind).toBe('closed'));
    await clock.advance(500);
    await serving.close();
    expect(ended).not.toHaveBeenCalled();
  });

  it('exits with 0 once closed', async () => {
    const { clock, ended, serving } = await signalled(true);
    process.emit('SIGUSR2', 'SIGUSR2');
    await eventually(() => expect(serving.registration.state.kind).toBe('closed'));
    expect(ended).not.toHaveBeenCalled();
    await clock.advance(500);
    await eventually(() => expect(ended).toHaveBeenCalledExactlyOnceWith(0));
  });
});
