import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GreeterClient, GreeterService } from '../../../generated/helloworld.js';
import type { PoolPick } from '../../../src/balancer/calls/hand-pick.js';
import type { Outcome, PickerFactory } from '../../../src/balancer/pickers/picker.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

/** Picks the first, and tells the outcomes that it hears of. */
function listening(): { picker: PickerFactory; outcomes: Outcome[] } {
  const outcomes: Outcome[] = [];
  const picker: PickerFactory = () => ({
    name: 'listening',
    pick: (ready) => ready.find(({ full }) => !full),
    finished: (_, __, outcome) => void outcomes.push(outcome),
  });
  return { picker, outcomes };
}

function sayHello(client: GreeterClient): Promise<string> {
  return new Promise((resolve, reject) => {
    client.sayHello({ name: 'a' }, (error, reply) => (error ? reject(error) : resolve(reply.message)));
  });
}

describe('a pick by hand', () => {
  it('is counted from when it is chosen until it is finished, once', async () => {
    const { picker, outcomes } = listening();
    const f = await new PoolFixture({ picker }).serving('h:1');
    const pick = f.pool.tryPick()!;
    expect(pick.endpoint.address).toBe('h:1');
    expect(f.rows).toEqual(['h:1 ready 1']);
    pick.finish({ code: Status.UNAVAILABLE, latencyMs: 7 });
    pick.finish();
    pick[Symbol.dispose]();
    expect(f.rows).toEqual(['h:1 ready 0']);
    expect(outcomes).toEqual([{ code: Status.UNAVAILABLE, latencyMs: 7 }]);
  });

  it('is finished by the call of `as`, with its outcome, before the caller hears', async () => {
    const { picker, outcomes } = listening();
    const f = await new PoolFixture({ picker }).serving('h:1');
    const pick = await f.pool.pick();
    let rows: string[] = [];
    const reply = sayHello(pick.as(GreeterClient)).then((message) => {
      rows = f.rows;
      return message;
    });
    await settle();
    expect(f.sent).toEqual(['a@h:1']);
    await f.clock.advance(30);
    f.transport.call.answer(greeting('hi'));
    expect(await reply).toBe('hi');
    expect(rows).toEqual(['h:1 ready 0']);
    expect(outcomes).toEqual([
      { code: Status.OK, latencyMs: 30, method: GreeterService.sayHello.path, blameless: false },
    ]);
  });

  it('is finished by a call that fails', async () => {
    const { picker, outcomes } = listening();
    const f = await new PoolFixture({ picker }).serving('h:1');
    const call = sayHello((await f.pool.pick()).as(GreeterClient));
    await settle();
    f.transport.call.end(Status.NOT_FOUND, 'no');
    await expect(call).rejects.toMatchObject({ code: Status.NOT_FOUND });
    expect(outcomes).toMatchObject([{ code: Status.NOT_FOUND }]);
  });

  it('is never made again elsewhere', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = sayHello((await f.pool.pick()).as(GreeterClient));
    await settle();
    f.transport.call.refuse();
    await expect(call).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    expect(f.transport.calls.length).toBe(1);
  });

  it.each([
    ['a second call', (_: PoolPick, client: GreeterClient) => client],
    ['a second client', (pick: PoolPick) => pick.as(GreeterClient)],
  ])('refuses %s', async (_, second) => {
    const f = await new PoolFixture().serving('h:1');
    const pick = await f.pool.pick();
    const client = pick.as(GreeterClient);
    const first = sayHello(client);
    await settle();
    await expect((async () => sayHello(second(pick, client)))()).rejects.toMatchObject({
      code: 'PICK_USED',
      message: 'this pick of h:1 has made its call: pick again for another call',
    });
    f.transport.call.answer(greeting('hi'));
    expect(await first).toBe('hi');
  });

  it('refuses a call after it was finished', async () => {
    const f = await new PoolFixture().serving('h:1');
    const pick = await f.pool.pick();
    const client = pick.as(GreeterClient);
    pick.finish();
    await expect((async () => sayHello(client))()).rejects.toMatchObject({ code: 'PICK_USED' });
    expect(() => pick.as(GreeterClient)).toThrow('is finished');
    expect(f.transport.calls).toEqual([]);
  });

  it('is finished by `using`, unless its call does that', async () => {
    const { picker, outcomes } = listening();
    const f = await new PoolFixture({ picker }).serving('h:1');
    {
      using _unused = f.pool.tryPick()!;
    }
    expect(outcomes).toEqual([{ code: Status.OK }]);
    let call: Promise<string>;
    {
      using pick = f.pool.tryPick()!;
      call = sayHello(pick.as(GreeterClient));
      await settle();
    }
    expect(f.rows).toEqual(['h:1 ready 1']);
    f.transport.call.answer(greeting('hi'));
    await call;
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('has a client for any calls, which do not finish it', async () => {
    const f = await new PoolFixture().serving('h:1');
    const pick = f.pool.tryPick()!;
    for (let i = 0; i < 2; i++) {
      const call = new Promise((resolve) => {
        pick.client.makeUnaryRequest(
          '/a/b',
          (x: Buffer) => x,
          (x: Buffer) => x,
          Buffer.from('x'),
          new Metadata(),
          (_, value) => resolve(value),
        );
      });
      await settle();
      f.transport.call.answer(Buffer.from('y'));
      expect(await call).toEqual(Buffer.from('y'));
    }
    expect(f.rows).toEqual(['h:1 ready 1']);
    pick.finish();
  });

  it('closes neither its connection nor the pool by its client', async () => {
    const f = await new PoolFixture().serving('h:1');
    const pick = f.pool.tryPick()!;
    pick.client.close();
    pick.as(GreeterClient).close();
    expect(f.transport.to('h:1').retired).toBe(false);
    pick.finish();
  });

  it('keeps the connection of a removed endpoint until it is finished', async () => {
    const f = await new PoolFixture().serving('h:1');
    const pick = f.pool.tryPick()!;
    await f.remove('h:1');
    const call = sayHello(pick.as(GreeterClient));
    await settle();
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(f.transport.to('h:1').closed).toBe(true);
  });

  it('is cut when its endpoint has drained for long enough, in use or not', async () => {
    const { picker, outcomes } = listening();
    const f = await new PoolFixture({ picker }).serving('h:1');
    const [unused, used] = [f.pool.tryPick()!, f.pool.tryPick()!];
    const call = sayHello(used.as(GreeterClient));
    await settle();
    await f.remove('h:1');
    const ends = outcome(call);
    await f.clock.advance(30_000);
    await ends;
    await expect(call).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    expect(outcomes.map(({ code }) => code)).toEqual([Status.UNAVAILABLE, Status.UNAVAILABLE]);
    expect(() => unused.as(GreeterClient)).toThrow('is finished');
    expect(f.rows).toEqual([]);
  });

  it('holds its connection from the turn in which it is granted', async () => {
    const f = await new PoolFixture().snapshot('h:1');
    const picked = f.pool.pick();
    await settle();
    expect(f.transport.to('h:1').ready().held).toBe(1);
    (await picked).finish();
    expect(f.transport.to('h:1').held).toBe(0);
  });

  it('gives its room to who waits, when it is finished', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const pick = f.pool.tryPick()!;
    const next = f.pool.pick();
    expect(await outcome(next)).toBe('pending');
    pick.finish();
    (await next).finish();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});

it.each([
  [null, /the outcome of a pick is null/],
  [{ code: 'OK' }, /the code of an outcome is "OK"/],
  [{ code: 0, latencyMs: Number.NaN }, /the latencyMs of an outcome is NaN/],
  [{ code: 4, latencyMs: -1 }, /the latencyMs of an outcome is -1/],
])('a pick that is finished with %j refuses that, and is not finished', async (outcome, message) => {
  const f = await new PoolFixture().serving('h:1');
  const pick = await f.pool.pick();
  expect(() => pick.finish(outcome as never)).toThrow(message);
  expect(f.rows).toEqual(['h:1 ready 1']);
  pick.finish();
  expect(f.rows).toEqual(['h:1 ready 0']);
});
