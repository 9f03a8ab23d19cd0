import { expect, onTestFinished } from 'vitest';
import { EchoReply, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { GreeterService, HelloReply, HelloRequest } from '../../generated/helloworld.js';
import type { PoolEvent } from '../../src/balancer/pool/events.js';
import type { PoolOptions } from '../../src/balancer/pool/options.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import { seededRandom } from '../../src/base/random.js';
import { settle, VirtualClock } from '../../src/testing/index.js';
import { endpoint } from './endpoints.js';
import { FakeTransport, type FakeWire } from './fake-transport.js';
import { ScriptedRegistry } from './scripted-registry.js';

export interface FixtureOptions extends Partial<PoolOptions> {
  readonly clock?: VirtualClock;
  readonly registry?: ScriptedRegistry;
}

/**
 * The real pool on a virtual clock, with a registry, connections and calls that the test moves. When the test is over
 * it closes the pool, and fails when anything is left behind.
 */
export class PoolFixture {
  readonly clock: VirtualClock;
  readonly transport: FakeTransport;
  readonly registry: ScriptedRegistry;
  readonly warnings: string[] = [];
  readonly infos: string[] = [];
  readonly pool: Pool;

  constructor({
    registry = new ScriptedRegistry(),
    clock = new VirtualClock(),
    ...options
  }: FixtureOptions = {}) {
    this.registry = registry;
    this.clock = clock;
    this.transport = new FakeTransport(clock);
    const log = (lines: string[]) => (line: string) => void lines.push(line);
    this.pool = new Pool({
      registry,
      service: 'greeter',
      clock: this.clock,
      random: seededRandom(1),
      transport: this.transport.transport,
      logger: { warn: log(this.warnings), info: log(this.infos) },
      // Its own tests have it; the others want removals believed.
      massRemovalGuard: false,
      outlierDetection: false,
      ...options,
    });
    onTestFinished(() => this.end());
  }

  get greeter() {
    return this.pool.stub(GreeterService);
  }

  get echo() {
    return this.pool.stub(EchoService);
  }

  /** Says hello: a unary call, whose reply's text is its result. */
  hello(name: string, options: Parameters<typeof this.greeter.sayHello>[1] = {}): Promise<string> {
    const message = this.greeter.sayHello({ name }, options).then((reply) => reply.message);
    // Whoever does not look at it does not mind how it ends.
    message.catch(() => {});
    return message;
  }

  async snapshot(...endpoints: (Endpoint | string)[]): Promise<this> {
    this.registry.current.tell({ kind: 'snapshot', endpoints: endpoints.map(asEndpoint) });
    await settle();
    return this;
  }

  async put(...endpoints: (Endpoint | string)[]): Promise<this> {
    this.registry.current.tell({ kind: 'changes', put: endpoints.map(asEndpoint), removed: [] });
    await settle();
    return this;
  }

  /** Removes by address, as {@link snapshot} and {@link put} make ids of them. */
  async remove(...addresses: string[]): Promise<this> {
    const removed = addresses.map((address) => asEndpoint(address).id);
    this.registry.current.tell({ kind: 'changes', put: [], removed });
    await settle();
    return this;
  }

  async stale(why: string): Promise<this> {
    this.registry.current.tell({ kind: 'stale', cause: new Error(why) });
    await settle();
    return this;
  }

  /** Announces these, connects them, and lets so much time pass that a lost connection is not a failure. */
  async serving(...endpoints: (Endpoint | string)[]): Promise<this> {
    await this.snapshot(...endpoints);
    for (const { address } of endpoints.map(asEndpoint)) this.transport.to(address).ready();
    await this.clock.advance(1_000);
    return this;
  }

  /** State and pending calls of each row: `h:1 ready 2`. */
  get rows(): string[] {
    return this.pool
      .snapshot()
      .subchannels.map(({ endpoint, state, pending }) => `${endpoint.address} ${state.kind} ${pending}`);
  }

  /** Where the calls on the wire went, in order, and the names that they greet: `a@h:1`. */
  get sent(): string[] {
    return this.transport.calls.map((wire) => `${nameOf(wire)}@${wire.address}`);
  }

  /** Events from now on, as they come. */
  events(): PoolEvent[] {
    const heard: PoolEvent[] = [];
    void (async () => {
      for await (const event of this.pool.events()) heard.push(event);
    })();
    return heard;
  }

  async end(): Promise<void> {
    const { clock, pool, transport, registry } = this;
    let closed = false;
    const closing = pool.close().then(() => {
      closed = true;
    });
    await clock.advance(0);
    // The default drain timeout; whatever goes on for longer is the test's own business.
    if (!closed) await clock.advance(30_000);
    expect(closed, 'close() resolves').toBe(true);
    await closing;
    expect(clock.pending, 'timers after close').toBe(0);
    expect(transport.connections.filter((connection) => !connection.closed)).toEqual([]);
    expect(pool.snapshot()).toMatchObject({ subchannels: [], pending: 0, waiting: 0, closed: true });
    expect(registry.watches.every(({ signal }) => signal.aborted)).toBe(true);
  }
}

function asEndpoint(of: Endpoint | string): Endpoint {
  return typeof of === 'string' ? endpoint(`id-${of}`, of) : of;
}

/** The name that a greeting on the wire asks for. */
export function nameOf(wire: FakeWire): string {
  return wire.sent.map((bytes) => HelloRequest.decode(bytes).name).join('+');
}

export function greeting(message: string): Uint8Array {
  return HelloReply.encode({ message }).finish();
}

export function echoReply(reply: Partial<EchoReply> = {}): Uint8Array {
  return EchoReply.encode({ payload: Buffer.alloc(0), server: '', seen: 0, ...reply }).finish();
}

/** What a promise has come to by now. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let result: unknown = 'pending';
  promise.then(
    (value) => {
      result = value;
    },
    (error: unknown) => {
      result = error;
    },
  );
  await settle();
  return result;
}
