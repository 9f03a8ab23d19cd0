import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { EchoClient } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { ParentCall } from '../../../src/balancer/calls/stub.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { echoReply, greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const SAY_HELLO = '/helloworld.Greeter/SayHello';
const request = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 1 };

/** A server call that is being handled, as grpc-js gives it. */
class Handled extends EventEmitter implements ParentCall {
  cancelled = false;

  constructor(private readonly deadline: Date | number = Number.POSITIVE_INFINITY) {
    super();
  }

  getDeadline(): Date | number {
    return this.deadline;
  }

  cancel(): void {
    this.cancelled = true;
    this.emit('cancelled');
  }
}

/** When the newest call on the wire must be over, in milliseconds from the epoch of the virtual clock. */
const deadline = (f: PoolFixture) => Number(f.transport.call.deadline) - f.clock.epoch;

describe('the deadline of a call that brings none', () => {
  it("is its method's, else its service's, else the pool's", async () => {
    const f = await new PoolFixture({
      timeoutMs: 9_000,
      methods: { [SAY_HELLO]: { timeoutMs: 1_000 }, '/evenkeel.echo.v1.Echo/*': { timeoutMs: 2_000 } },
    }).serving('h:1');
    void f.hello('a');
    expect(deadline(f)).toBe(2_000);
    f.transport.call.answer(greeting(''));
    void f.echo.unary(request);
    expect(deadline(f)).toBe(3_000);
    f.transport.call.answer(echoReply());
    f.pool.client(EchoClient).unary(request, () => {});
    await new Promise(setImmediate);
    expect(deadline(f)).toBe(3_000);
    f.transport.call.answer(echoReply());
  });

  it("is the pool's, but none for one that says so", async () => {
    const f = await new PoolFixture({ timeoutMs: 9_000 }).serving('h:1');
    const epoch = f.clock.epochNow();
    for (const [options, expected] of [
      [{}, 9_000],
      [{ timeoutMs: Number.POSITIVE_INFINITY }, Number.POSITIVE_INFINITY],
      [{ timeoutMs: 20_000 }, 20_000],
      [{ deadline: epoch + 30_000 }, 30_000],
      [{ deadline: new Date(epoch + 5), timeoutMs: 7 }, 5],
    ] as const) {
      void f.hello('a', options);
      expect(deadline(f) - f.clock.now()).toBe(expected);
      f.transport.call.answer(greeting(''));
    }
  });

  it('counts from its start, though it waits', async () => {
    const f = new PoolFixture({ timeoutMs: 1_000 });
    const call = f.hello('a');
    await f.clock.advance(400);
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    expect(deadline(f)).toBe(1_000);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('must be a time', () => {
    for (const timeoutMs of [-1, Number.NaN])
      expect(() => new PoolFixture({ timeoutMs })).toThrow(`timeoutMs is ${timeoutMs}`);
  });
});

describe('a parent', () => {
  it('hands on its deadline, the earlier of both, beside the default', async () => {
    const f = await new PoolFixture({ timeoutMs: 9_000 }).serving('h:1');
    const epoch = f.clock.epochNow();
    for (const [parent, options, expected] of [
      [new Handled(epoch + 500), {}, 500],
      [new Handled(new Date(epoch + 500)), { timeoutMs: 700 }, 500],
      [new Handled(epoch + 500), { timeoutMs: 300 }, 300],
      [new Handled(), {}, 9_000],
      [new Handled(epoch + 20_000), {}, 9_000],
    ] as const) {
      const call = f.hello('a', { ...options, parent });
      expect(deadline(f) - f.clock.now()).toBe(expected);
      f.transport.call.answer(greeting(''));
      await call;
      expect(parent.listenerCount('cancelled')).toBe(0);
    }
  });

  it('that is cancelled cancels the call, on the wire and in the queue', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const parent = new Handled();
    const calls = [f.hello('wire', { parent }), f.hello('queue', { parent })];
    const stays = f.hello('b');
    await settle();
    parent.cancel();
    for (const call of calls) {
      expect(await outcome(call)).toMatchObject({
        code: Status.CANCELLED,
        details: 'Cancelled by parent call',
      });
    }
    expect(parent.listenerCount('cancelled')).toBe(0);
    expect(f.sent).toEqual(['wire@h:1', 'b@h:1']);
    f.transport.call.answer(greeting('hi'));
    expect(await stays).toBe('hi');
  });

  it('that is cancelled already starts nothing', async () => {
    const f = await new PoolFixture().serving('h:1');
    const parent = new Handled();
    parent.cancel();
    expect(await outcome(f.hello('a', { parent }))).toMatchObject({ code: Status.CANCELLED });
    expect(f.transport.calls).toEqual([]);
  });

  it('cancels a stream, and is let go when the stream is left', async () => {
    const f = await new PoolFixture().serving('h:1');
    const parent = new Handled();
    const left = f.echo.serverStream(request, { parent });
    const first = left.next();
    await settle();
    f.transport.call.headers().message(echoReply());
    await first;
    await left.return(undefined);
    expect(parent.listenerCount('cancelled')).toBe(0);
    const next = f.echo.serverStream(request, { parent }).next();
    await settle();
    parent.cancel();
    expect(await outcome(next)).toMatchObject({ code: Status.CANCELLED });
  });
});

describe('a waiter with too little time left', () => {
  /** A pool that knows that calls take 100 ms, with one endpoint that is full. */
  const busy = async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 60 }).serving('h:1');
    const measured = Array.from({ length: 60 }, () => f.hello('measured'));
    await f.clock.advance(100);
    for (const wire of f.transport.open) wire.answer(greeting(''));
    await Promise.all(measured);
    const blockers = Array.from({ length: 60 }, () => f.hello('blocks'));
    await settle();
    return { f, blockers };
  };

  it('fails when its turn comes, and its place goes to the next', async () => {
    const { f, blockers } = await busy();
    const hopeless = f.hello('hopeless', { timeoutMs: 150 });
    const patient = f.hello('patient', { timeoutMs: 10_000 });
    await f.clock.advance(60);
    f.transport.open[0]!.answer(greeting(''));
    expect(f.sent.at(-1)).toBe('patient@h:1');
    expect(await outcome(hopeless)).toMatchObject({
      code: Status.DEADLINE_EXCEEDED,
      cause: { code: 'DEADLINE', message: expect.stringContaining('too late') },
    });
    for (const wire of f.transport.open) wire.answer(greeting('hi'));
    expect(await patient).toBe('hi');
    await Promise.all(blockers);
    expect(f.clock.pending).toBe(0);
  });

  it('is sent when it has enough, or no deadline at all', async () => {
    const { f, blockers } = await busy();
    const calls = [f.hello('enough', { timeoutMs: 1_000 }), f.hello('none')];
    await f.clock.advance(60);
    for (const wire of f.transport.open.slice(0, 2)) wire.answer(greeting(''));
    expect(f.sent.slice(-2)).toEqual(['enough@h:1', 'none@h:1']);
    for (const wire of f.transport.open) wire.answer(greeting('hi'));
    expect(await Promise.all(calls)).toEqual(['hi', 'hi']);
    await Promise.all(blockers);
  });

  it('is sent while too little is known', async () => {
    const f = new PoolFixture();
    const call = f.hello('a', { timeoutMs: 100 });
    await f.clock.advance(99);
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    expect(f.sent).toEqual(['a@h:1']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });
});
