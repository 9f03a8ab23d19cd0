// What is simulated is what runs: one random history, through the pool on fake connections and through a client of the
// simulator's, gives the same picks, waits, refusals, ejections and states.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Request } from '../../../src/balancer/core/dispatcher.js';
import type { PickerName } from '../../../src/balancer/pickers/index.js';
import { type PoolOptions, poolHostOptions } from '../../../src/balancer/pool/options.js';
import { PoolHost } from '../../../src/balancer/pool/pool-host.js';
import type { Subchannel } from '../../../src/balancer/pool/subchannel.js';
import type { Row } from '../../../src/balancer/table/row.js';
import type { Table } from '../../../src/balancer/table/table.js';
import type { Holder } from '../../../src/balancer/transport/transport.js';
import type { Endpoint } from '../../../src/base/endpoint.js';
import { asError, type BalancerError, Status } from '../../../src/base/errors.js';
import type { Linked } from '../../../src/base/linked-list.js';
import { seededRandom } from '../../../src/base/random.js';
import { staticRegistry } from '../../../src/registry/static.js';
import {
  Client,
  type ClientHost,
  type SimulatedConnection,
  type SimulatedSubchannel,
} from '../../../src/simulator/clients/client.js';
import { Agenda } from '../../../src/simulator/world/agenda.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { type FakeConnection, FakeTransport } from '../../support/fake-transport.js';

const ADDRESSES = ['h:1', 'h:2', 'h:3', 'h:4', 'h:5', 'h:6'];
const SERVICE = '/a.Service/Method';

/** A call, in either world. */
class Call<L> implements Request<L>, Holder {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  now = 0;
  readonly unary = true;
  readonly byHand = false;
  readonly method = SERVICE;
  readonly group = undefined;
  readonly exclude = undefined;
  startedAt = 0;
  row: Row<L> | undefined;
  /** What has become of it: `waits`, where it was picked, or why it was refused. */
  fate = 'new';

  constructor(
    readonly arrival: number,
    readonly key: string | undefined,
    readonly enteredAt: number,
    readonly expiresAt: number,
    private readonly onPicked: (call: Call<L>) => void,
  ) {}

  granted(row: Row<L>): void {
    this.row = row;
    this.startedAt = this.now;
    this.fate = row.endpoint.address;
    this.onPicked(this);
  }

  refused(error: BalancerError): void {
    this.fate = error.code;
  }

  cut(): void {}
}

/** One of the two, as the history moves it. */
interface World {
  readonly calls: Call<never>[];
  table(): Table<never>;
  waiting(): number;
  tell(put: Endpoint[], removed: string[], all: boolean): void;
  connection(address: string, event: 'ready' | 'lost' | 'failed'): void;
  begin(key: string | undefined, timeoutMs: number): void;
  end(call: Call<never>, code: number): void;
  expire(call: Call<never>): void;
  advance(ms: number): Promise<void>;
}

class PoolWorld implements World {
  readonly calls: Call<never>[] = [];
  readonly #clock = new VirtualClock();
  readonly #transport = new FakeTransport();
  readonly #host: PoolHost;

  constructor(options: Partial<PoolOptions>, seed: number) {
    this.#host = new PoolHost(
      poolHostOptions({
        registry: staticRegistry([]),
        service: 'a',
        clock: this.#clock,
        random: seededRandom(seed),
        transport: this.#transport.transport,
        ...options,
      }),
    );
  }

  table(): Table<never> {
    return this.#host.balancer.table as unknown as Table<never>;
  }

  waiting(): number {
    return this.#host.balancer.queue.size;
  }

  tell(put: Endpoint[], removed: string[], all: boolean): void {
    this.#host.heard(all ? { kind: 'snapshot', endpoints: put } : { kind: 'changes', put, removed });
  }

  connection(address: string, event: 'ready' | 'lost' | 'failed'): void {
    const { connections } = this.#transport;
    connections.findLast(({ endpoint, retired }) => endpoint.address === address && !retired)?.[event]();
  }

  begin(key: string | undefined, timeoutMs: number): void {
    const host = this.#host;
    const now = this.#clock.now();
    const call = new Call<Subchannel>(host.arrive(), key, now, now + timeoutMs, (picked) => {
      picked.row!.link!.connection!.hold(picked);
    });
    this.calls.push(call as unknown as Call<never>);
    start(
      call,
      () => host.tryPick(call),
      () => host.wait(call),
    );
  }

  end(call: Call<never>, code: number): void {
    const own = call as unknown as Call<Subchannel>;
    const row = own.row!;
    for (const connection of [row.link!.connection, ...row.link!.former]) {
      if (connection !== undefined && [...connection.unansweredCalls()].includes(own))
        connection.release(own);
    }
    this.#host.finish(row, { code, latencyMs: this.#clock.now() - call.startedAt, method: SERVICE });
    // Simulated connections do not die in silence: where the pool doubts one, it finds that another can be made.
    const renewal = row.link?.renewal?.connection;
    if (renewal !== undefined) (renewal as FakeConnection).ready();
  }

  expire(call: Call<never>): void {
    this.#host.leave(call as unknown as Call<Subchannel>);
  }

  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }
}

class SimulatedWorld implements World, ClientHost {
  readonly calls: Call<never>[] = [];
  readonly agenda = new Agenda();
  readonly #client: Client;
  readonly #connections: SimulatedConnection[] = [];
  /** The calls that are not answered, oldest first. */
  readonly #open: Call<SimulatedSubchannel>[] = [];

  constructor(options: Partial<PoolOptions>, seed: number) {
    const random = seededRandom(seed);
    const { table, maxWaiting, retryBudget, outlier, picker } = poolHostOptions({
      registry: staticRegistry([]),
      service: 'a',
      random,
      ...options,
    });
    this.#client = new Client(
      { table, maxWaiting, retryBudget, outlier, latencies: true },
      picker({ random }),
      random,
      this,
    );
  }

  table(): Table<never> {
    return this.#client.balancer.table as unknown as Table<never>;
  }

  waiting(): number {
    return this.#client.balancer.queue.size;
  }

  tell(put: Endpoint[], removed: string[], all: boolean): void {
    const { balancer } = this.#client;
    if (all) balancer.applySnapshot(put, this.agenda.now());
    else balancer.applyChanges(put, removed, this.agenda.now());
  }

  connection(address: string, event: 'ready' | 'lost' | 'failed'): void {
    const connection = this.#connections.findLast(({ row }) => row.endpoint.address === address);
    if (connection === undefined) return;
    this.#client.connectivityChanged(
      connection,
      event === 'failed' ? { kind: event, cause: new Error('refused') } : { kind: event },
    );
  }

  begin(key: string | undefined, timeoutMs: number): void {
    const { balancer } = this.#client;
    const now = this.agenda.now();
    const call = new Call<SimulatedSubchannel>(balancer.arrive(), key, now, now + timeoutMs, (picked) => {
      this.#open.push(picked);
    });
    this.calls.push(call as unknown as Call<never>);
    start(
      call,
      () => balancer.tryPick(call, now),
      () => balancer.wait(call),
    );
  }

  end(call: Call<never>, code: number): void {
    const own = call as unknown as Call<SimulatedSubchannel>;
    this.#open.splice(this.#open.indexOf(own), 1);
    this.#client.finish(own.row!, { code, latencyMs: this.agenda.now() - call.startedAt, method: SERVICE });
  }

  expire(call: Call<never>): void {
    this.#client.balancer.leave(call as unknown as Call<SimulatedSubchannel>);
  }

  async advance(ms: number): Promise<void> {
    const until = this.agenda.now() + ms;
    while (this.agenda.nextTimerAt <= until) {
      this.agenda.advance(this.agenda.nextTimerAt);
      this.agenda.runTimers();
    }
    this.agenda.advance(until);
  }

  connect(connection: SimulatedConnection): void {
    this.#connections.push(connection);
  }

  disconnect(connection: SimulatedConnection): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
  }

  serverOf({ address }: Endpoint): number {
    return ADDRESSES.indexOf(address);
  }

  cut(): void {}

  unansweredCalls(row: Row<SimulatedSubchannel>): Iterable<Call<SimulatedSubchannel>> {
    return this.#open.filter((call) => call.row === row);
  }
}

function start<L>(call: Call<L>, tryPick: () => Row<L> | undefined, wait: () => void): void {
  try {
    const row = tryPick();
    if (row !== undefined) {
      call.granted(row);
      return;
    }
    call.fate = 'waits';
    wait();
  } catch (thrown) {
    call.refused(asError(thrown) as BalancerError);
  }
}

const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('tell' as const),
      put: fc.subarray(ADDRESSES),
      removed: fc.subarray(ADDRESSES),
      all: fc.boolean(),
      weight: fc.constantFrom(0, 1, 1, 3),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('connection' as const),
      address: fc.constantFrom(...ADDRESSES),
      event: fc.constantFrom(
        'ready' as const,
        'ready' as const,
        'ready' as const,
        'lost' as const,
        'failed' as const,
      ),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('begin' as const),
      times: fc.integer({ min: 1, max: 12 }),
      key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
      timeoutMs: fc.constantFrom(50, 500, Number.POSITIVE_INFINITY),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      which: fc.nat(),
      times: fc.integer({ min: 1, max: 12 }),
      code: fc.constantFrom(
        Status.OK,
        Status.OK,
        Status.OK,
        Status.UNAVAILABLE,
        Status.NOT_FOUND,
        Status.DEADLINE_EXCEEDED,
        Status.CANCELLED,
      ),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 20, 300, 6_000) }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A fleet that is READY, and whose latencies are known: whoever hangs after that is found. */
const KNOWN: Step[] = [
  { do: 'tell', put: ADDRESSES, removed: [], all: true, weight: 1 },
  ...ADDRESSES.map((address): Step => ({ do: 'connection', address, event: 'ready' })),
  ...Array.from({ length: 30 }).flatMap((): Step[] => [
    { do: 'begin', times: 2, key: undefined, timeoutMs: Number.POSITIVE_INFINITY },
    { do: 'wait', ms: 1 },
    { do: 'end', which: 0, times: 2, code: Status.OK },
  ]),
];

const PICKERS: PickerName[] = [
  'round-robin',
  'least-pending',
  'power-of-two',
  'peak-ewma',
  'ring-hash',
  'random',
];

const given = fc.record({
  picker: fc.constantFrom(...PICKERS),
  maxPendingPerEndpoint: fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
  queue: fc.constantFrom({ max: 4 }, { max: 1_000 }),
  outlierDetection: fc.constantFrom(false as const, {}, { baseEjectionMs: 500, intervalMs: 1_000 }),
  massRemovalGuard: fc.constantFrom(false as const, {}),
});

function picture(world: World): unknown {
  const rows = Array.from(world.table().rows(), (row) => [
    row.endpoint.address,
    row.state.kind,
    row.pending,
    row.picked,
    row.ejected,
    row.unconfirmed,
  ]);
  return { rows, waiting: world.waiting(), fates: world.calls.map(({ fate }) => fate) };
}

async function take(world: World, of: Step): Promise<void> {
  switch (of.do) {
    case 'tell': {
      const put = of.put.map((address) => endpoint(`id-${address}`, address, { weight: of.weight }));
      world.tell(
        put,
        of.removed.map((address) => `id-${address}`),
        of.all,
      );
      break;
    }
    case 'connection':
      world.connection(of.address, of.event);
      break;
    case 'begin':
      for (let i = 0; i < of.times; i++) world.begin(of.key, of.timeoutMs);
      break;
    case 'end':
      for (let i = 0; i < of.times; i++) {
        const open = world.calls.filter(({ row, fate }) => row !== undefined && fate !== 'ended');
        const call = open[of.which % open.length];
        if (call === undefined) break;
        call.fate = 'ended';
        world.end(call, of.code);
      }
      break;
    case 'wait':
      await world.advance(of.ms);
  }
}

describe('a client of the simulator', () => {
  it('picks, refuses and ejects as the pool does, in every history', async () => {
    await fc.assert(
      fc.asyncProperty(
        given,
        fc.nat(),
        fc.constantFrom([], KNOWN),
        fc.array(step, { maxLength: 60, size: 'max' }),
        async (options, seed, before, steps) => {
          const pool = new PoolWorld(options, seed);
          const simulated = new SimulatedWorld(options, seed);
          for (const each of [...before, ...steps]) {
            await take(pool, each);
            await take(simulated, each);
            assert.deepEqual(picture(simulated), picture(pool), JSON.stringify(each));
          }
        },
      ),
    );
  });
});
