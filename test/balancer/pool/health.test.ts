import { describe, expect, it } from 'vitest';
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../../generated/grpc/health/v1/health.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import type { FakeWire } from '../../support/fake-transport.js';
import { type FixtureOptions, greeting, PoolFixture } from '../../support/pool-fixture.js';

const WATCH = '/grpc.health.v1.Health/Watch';
const says = (status: ServingStatus) => HealthCheckResponse.encode({ status }).finish();
const SERVING = says(ServingStatus.SERVING);
const NOT_SERVING = says(ServingStatus.NOT_SERVING);

/** Connected, and asked how it is. */
async function connected(options: FixtureOptions = {}, ...addresses: string[]): Promise<PoolFixture> {
  return new PoolFixture({ healthCheck: true, ...options }).serving(
    ...(addresses.length > 0 ? addresses : ['h:1', 'h:2']),
  );
}

const watches = (f: PoolFixture, address: string): FakeWire[] =>
  f.transport.calls.filter((wire) => wire.path === WATCH && wire.address === address);
const watch = (f: PoolFixture, address: string): FakeWire => watches(f, address).at(-1)!;

/** Where so many calls go, each answered at once. */
function serve(f: PoolFixture, calls: number): string[] {
  return Array.from({ length: calls }, () => {
    void f.hello('a');
    const { address } = f.transport.call.answer(greeting(''));
    return address;
  });
}

const serving = (f: PoolFixture) => f.pool.snapshot().subchannels.map((row) => row.serving);

describe('a subchannel whose health is watched', () => {
  it('is not picked before it says SERVING, which calls wait for', async () => {
    const f = await connected();
    const call = f.hello('a');
    expect(f.pool.snapshot()).toMatchObject({ ready: 0, waiting: 1 });
    expect(f.pool.tryPick()).toBeUndefined();
    watch(f, 'h:2').headers().message(SERVING);
    expect(f.transport.call.address).toBe('h:2');
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(serve(f, 4)).toEqual(['h:2', 'h:2', 'h:2', 'h:2']);
    watch(f, 'h:1').message(SERVING);
    expect(new Set(serve(f, 4))).toEqual(new Set(['h:1', 'h:2']));
  });

  it('gets no picks while it says anything else, and keeps its calls', async () => {
    const f = await connected();
    for (const address of ['h:1', 'h:2']) watch(f, address).message(SERVING);
    const inFlight = f.hello('a');
    const wire = f.transport.call;
    for (const status of [ServingStatus.NOT_SERVING, ServingStatus.SERVICE_UNKNOWN, ServingStatus.UNKNOWN]) {
      watch(f, wire.address).message(says(status));
      expect(serve(f, 3)).not.toContain(wire.address);
    }
    wire.answer(greeting('hi'));
    expect(await inFlight).toBe('hi');
    watch(f, wire.address).message(SERVING);
    expect(serve(f, 3)).toContain(wire.address);
    expect(f.transport.connections.length).toBe(2);
  });

  it('tells of each change once', async () => {
    const f = await connected({}, 'h:1');
    const events = f.events();
    for (const said of [NOT_SERVING, SERVING, SERVING, NOT_SERVING]) watch(f, 'h:1').message(said);
    await settle();
    expect(events).toEqual([
      { kind: 'health', at: 1_000, address: 'h:1', serving: true },
      { kind: 'health', at: 1_000, address: 'h:1', serving: false },
    ]);
    expect(serving(f)).toEqual([false]);
  });

  it.each([
    [true, ''],
    [{ service: 'helloworld.Greeter' }, 'helloworld.Greeter'],
  ])('is asked for the service that is given: %j', async (healthCheck, service) => {
    const f = await connected({ healthCheck }, 'h:1');
    const { sent, halfClosed, deadline } = watch(f, 'h:1');
    expect(sent.map((bytes) => HealthCheckRequest.decode(bytes))).toEqual([{ service }]);
    expect({ halfClosed, deadline }).toEqual({ halfClosed: true, deadline: Number.POSITIVE_INFINITY });
    // It is no call that anybody counts.
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('serves when the server does not know the service, and is not asked again', async () => {
    const f = await connected({}, 'h:1');
    watch(f, 'h:1').end(Status.UNIMPLEMENTED, 'unknown');
    expect(serve(f, 1)).toEqual(['h:1']);
    await f.clock.advance(600_000);
    expect(watches(f, 'h:1').length).toBe(1);
  });

  it.each([Status.UNAVAILABLE, Status.INTERNAL, Status.OK])(
    'does not serve when the watch ends with %i, until another says so, after a back-off',
    async (code) => {
      const f = await connected({ random: (n) => n - 1 }, 'h:1');
      watch(f, 'h:1').message(SERVING);
      watch(f, 'h:1').end(code, 'no');
      expect(serving(f)).toEqual([false]);
      // At most 1 s, 2 s, ... 120 s.
      for (const [n, waitMs] of [
        1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000,
      ].entries()) {
        await f.clock.advance(waitMs - 1);
        expect(watches(f, 'h:1').length).toBe(n + 1);
        await f.clock.advance(1);
        expect(watches(f, 'h:1').length).toBe(n + 2);
        if (n < 8) watch(f, 'h:1').end(code, 'no');
      }
      watch(f, 'h:1').message(SERVING);
      expect(serving(f)).toEqual([true]);
      watch(f, 'h:1').end(code, 'no');
      await f.clock.advance(1_000);
      expect(watches(f, 'h:1').length).toBe(11);
    },
  );

  it('does not serve when what it says cannot be read', async () => {
    const f = await connected({ random: (n) => n - 1 }, 'h:1');
    watch(f, 'h:1').message(Buffer.from([0x08]));
    await settle();
    expect(watch(f, 'h:1').cancelled).toMatchObject({ code: Status.INTERNAL });
    expect(serving(f)).toEqual([false]);
    await f.clock.advance(1_000);
    watch(f, 'h:1').message(SERVING);
    expect(serve(f, 1)).toEqual(['h:1']);
  });

  it('is asked anew when it is connected anew, and not picked until it has answered', async () => {
    const f = await connected();
    for (const address of ['h:1', 'h:2']) watch(f, address).message(SERVING);
    const first = watch(f, 'h:1');
    f.transport.to('h:1').lost();
    await settle();
    expect(first.cancelled).toMatchObject({ code: Status.CANCELLED });
    f.transport.to('h:1').ready();
    expect(watches(f, 'h:1').length).toBe(2);
    expect(serve(f, 4)).not.toContain('h:1');
    watch(f, 'h:1').message(SERVING);
    expect(serve(f, 4)).toContain('h:1');
    await f.clock.advance(600_000);
    expect(watches(f, 'h:1').length).toBe(2);
  });

  it('is asked no more once it is removed, and does not keep its connection', async () => {
    const f = await connected();
    await f.remove('h:1');
    expect(watch(f, 'h:1').cancelled).toMatchObject({ code: Status.CANCELLED });
    await f.clock.advance(0);
    expect(f.transport.to('h:1').closed).toBe(true);
  });

  it('is not probed while it does not serve, though its ejection is over', async () => {
    const f = await connected({ outlierDetection: { consecutiveFailures: 1 } });
    for (const address of ['h:1', 'h:2']) watch(f, address).message(SERVING);
    void f.hello('a');
    const { address } = f.transport.call.end(Status.INTERNAL, 'no');
    expect(f.pool.snapshot().subchannels.find((row) => row.ejected)?.endpoint.address).toBe(address);
    watch(f, address).message(NOT_SERVING);
    await f.clock.advance(30_000);
    expect(serve(f, 4)).not.toContain(address);
    watch(f, address).message(SERVING);
    expect(serve(f, 1)).toEqual([address]);
  });
});

describe('health', () => {
  it('is not watched by default', async () => {
    const f = await new PoolFixture().serving('h:1');
    expect(f.transport.calls).toEqual([]);
    expect(serving(f)).toEqual([true]);
  });
});

describe('a server whose health flaps', () => {
  it('is read no faster than ten times a second, and is heard in the end', async () => {
    const f = await connected({}, 'h:1');
    const changes: boolean[] = [];
    void (async () => {
      for await (const event of f.pool.events()) if (event.kind === 'health') changes.push(event.serving);
    })();
    const wire = watch(f, 'h:1');
    wire.headers();
    for (let n = 0; n < 1_000; n++) wire.message(n % 2 === 0 ? SERVING : NOT_SERVING);
    await settle();
    await f.clock.advance(0);
    expect(changes.length).toBe(10);
    await f.clock.advance(10_000);
    expect(changes.length).toBeLessThanOrEqual(120);
    expect(changes.length).toBeGreaterThanOrEqual(100);
  });
});
