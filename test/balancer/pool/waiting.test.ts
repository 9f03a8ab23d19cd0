import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const limited = { maxPendingPerEndpoint: 1 };

describe('calls wait', () => {
  it('for the first endpoint to be READY, and go out in the order in which they came', async () => {
    const f = new PoolFixture();
    const calls = ['a', 'b', 'c'].map((name) => f.hello(name));
    await settle();
    expect(f.pool.snapshot()).toMatchObject({ waiting: 3, pending: 0 });
    await f.snapshot('h:1');
    expect(f.transport.calls).toEqual([]);
    f.transport.to('h:1').ready();
    expect(f.sent).toEqual(['a@h:1', 'b@h:1', 'c@h:1']);
    expect(f.pool.snapshot()).toMatchObject({ waiting: 0, pending: 3 });
    for (const call of f.transport.calls) call.answer(greeting('hi'));
    expect(await Promise.all(calls)).toEqual(['hi', 'hi', 'hi']);
    expect(f.clock.pending).toBe(0);
  });

  it('when every connection is lost, and again when they are back', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    for (const address of ['h:1', 'h:2']) f.transport.to(address).lost();
    void f.hello('a');
    await f.remove('h:1');
    void f.hello('b');
    f.transport.to('h:2').ready();
    expect(f.sent).toEqual(['a@h:2', 'b@h:2']);
    for (const call of f.transport.calls) call.answer(greeting(''));
  });

  it('for what the server lets be open at a time, which may change, and starts over with a connection', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 3 }).serving('h:1');
    const connection = f.transport.to('h:1').limit(2);
    for (const name of ['a', 'b', 'c', 'd', 'e']) void f.hello(name);
    await settle();
    expect(f.sent).toEqual(['a@h:1', 'b@h:1']);
    connection.limit(1);
    f.transport.calls[0]!.answer(greeting(''));
    expect(f.sent).toHaveLength(2);
    connection.limit(100);
    expect(f.sent).toEqual(['a@h:1', 'b@h:1', 'c@h:1', 'd@h:1']);
    connection.limit(0);
    for (const call of f.transport.open) call.answer(greeting(''));
    expect(f.sent).toHaveLength(4);
    connection.streamLimit = Number.POSITIVE_INFINITY;
    connection.lost().ready();
    expect(f.sent.at(-1)).toBe('e@h:1');
    f.transport.open[0]!.answer(greeting(''));
    expect(f.pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
  });

  it('for room, and get it one by one, oldest first', async () => {
    const f = await new PoolFixture(limited).serving('h:1', 'h:2');
    for (const name of ['a', 'b', 'c', 'd', 'e']) void f.hello(name);
    await settle();
    expect(f.sent).toEqual(['a@h:1', 'b@h:2']);
    f.transport.calls[1]!.answer(greeting(''));
    expect(f.sent.at(-1)).toBe('c@h:2');
    f.transport.calls[0]!.answer(greeting(''));
    expect(f.sent.at(-1)).toBe('d@h:1');
    await f.put('h:3');
    f.transport.to('h:3').ready();
    expect(f.sent.at(-1)).toBe('e@h:3');
    for (const call of f.transport.open) call.answer(greeting(''));
  });

  it('and are not overtaken by who comes later', async () => {
    const f = await new PoolFixture(limited).serving('h:1');
    for (const name of ['a', 'b']) void f.hello(name);
    expect(f.pool.tryPick()).toBeUndefined();
    f.transport.calls[0]!.end(Status.INTERNAL, 'x');
    void f.hello('c');
    expect(f.pool.tryPick()).toBeUndefined();
    expect(f.sent).toEqual(['a@h:1', 'b@h:1']);
    f.transport.call.answer(greeting(''));
    expect(f.sent.at(-1)).toBe('c@h:1');
    f.transport.call.answer(greeting(''));
  });

  it('of all kinds in one order', async () => {
    const f = new PoolFixture(limited);
    void f.hello('unary');
    const picked = f.pool.pick();
    const request = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 1 };
    const next = f.echo.serverStream(request).next();
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    expect(await outcome(picked)).toBe('pending');
    expect(f.sent).toEqual(['unary@h:1']);
    f.transport.call.answer(greeting(''));
    expect(f.transport.calls.length).toBe(1);
    (await picked).finish();
    expect(f.transport.call.path).toMatch('ServerStream');
    f.transport.call.headers().end();
    expect((await next).done).toBe(true);
  });

  it('no more than the queue takes, and nobody is refused twice', async () => {
    const f = new PoolFixture({ queue: { max: 2 } });
    const calls = ['a', 'b', 'c'].map((name) => f.hello(name));
    expect(await outcome(calls[2]!)).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      cause: { code: 'QUEUE_FULL' },
    });
    expect(await outcome(f.pool.pick())).toMatchObject({ code: 'QUEUE_FULL' });
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    expect(f.sent).toEqual(['a@h:1', 'b@h:1']);
    for (const call of f.transport.calls) call.answer(greeting('hi'));
    expect(await Promise.all(calls.slice(0, 2))).toEqual(['hi', 'hi']);
  });
});

describe('a call that waits ends', () => {
  it('at its deadline, with what the pool looked like, and the others keep their places', async () => {
    const f = await new PoolFixture().snapshot('h:1', 'h:2');
    f.transport.to('h:1').failed('connect ECONNREFUSED h:1');
    const calls = [
      f.hello('a', { timeoutMs: 500 }),
      f.hello('b'),
      f.hello('c', { deadline: f.clock.epochNow() + 100 }),
      f.hello('d', { deadline: new Date(f.clock.epochNow() + 200), timeoutMs: 100_000 }),
    ];
    const failed = calls.map((call) => outcome(call));
    expect(await failed[0]).toBe('pending');
    await f.clock.advance(99);
    expect(await outcome(calls[2]!)).toBe('pending');
    await f.clock.advance(1);
    expect(await outcome(calls[2]!)).toMatchObject({
      code: Status.DEADLINE_EXCEEDED,
      details:
        'Deadline exceeded after 0.100s waiting for a subchannel: greeter has 2 endpoints (1 connecting, 1 failed); ' +
        'last failure: connect ECONNREFUSED h:1; 4 waiting',
      cause: { code: 'DEADLINE' },
      address: undefined,
    });
    await f.clock.advance(400);
    expect(await outcome(calls[3]!)).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    expect(await outcome(calls[0]!)).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    expect(f.pool.snapshot().waiting).toBe(1);
    f.transport.to('h:2').ready();
    expect(f.sent).toEqual(['b@h:2']);
    f.transport.call.answer(greeting(''));
  });

  it('at its deadline, saying that there was nobody and that the registry is silent', async () => {
    const f = new PoolFixture();
    await f.stale('etcd is down');
    const call = f.hello('a', { timeoutMs: 100 });
    const pick = f.pool.pick({ timeoutMs: 100 });
    const both = [outcome(call), outcome(pick)];
    await Promise.all(both);
    const ends = [outcomeOf(call), outcomeOf(pick)];
    await f.clock.advance(100);
    const [ofCall, ofPick] = await Promise.all(ends);
    expect(ofCall).toMatchObject({ code: Status.DEADLINE_EXCEEDED, cause: { code: 'NO_ENDPOINTS' } });
    expect(ofPick).toMatchObject({
      code: 'NO_ENDPOINTS',
      message: expect.stringContaining(
        'greeter has 0 endpoints; 1 waiting; registry waiting for 0.1 s: etcd is down',
      ),
    });
  });

  it('when it is aborted, with the reason, and leaves its place', async () => {
    const f = new PoolFixture();
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    const pick = f.pool.pick({ signal: stop.signal });
    const stays = f.hello('b');
    await settle();
    stop.abort(new Error('enough'));
    expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED, cause: { message: 'enough' } });
    expect(await outcome(pick)).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
    expect(f.pool.snapshot().waiting).toBe(1);
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    expect(f.sent).toEqual(['b@h:1']);
    f.transport.call.answer(greeting('hi'));
    expect(await stays).toBe('hi');
  });

  it('before it begins, when its signal has aborted, whether or not there is room', async () => {
    const f = new PoolFixture();
    const signal = AbortSignal.abort(new Error('enough'));
    for (const ready of [false, true]) {
      if (ready) await f.serving('h:1');
      expect(await outcome(f.hello('a', { signal }))).toMatchObject({ code: Status.CANCELLED });
      expect(await outcome(f.pool.pick({ signal }))).toMatchObject({ code: 'ABORTED' });
    }
    expect(f.pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
  });

  it('at once, when its deadline is none', async () => {
    const f = new PoolFixture();
    for (const options of [{ timeoutMs: Number.NaN }, { deadline: new Date('never') }]) {
      expect(await outcome(f.pool.pick(options))).toMatchObject({ code: 'INVALID_OPTION' });
      expect(await outcome(f.hello('a', options))).toMatchObject({ code: 'INVALID_OPTION' });
    }
    await f.serving('h:1');
    expect(await outcome(f.pool.pick({ timeoutMs: Number.NaN }))).toMatchObject({ code: 'INVALID_OPTION' });
    expect(f.pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
  });

  it('soon, when its deadline has passed', async () => {
    const f = new PoolFixture();
    const ends = outcomeOf(f.hello('a', { deadline: f.clock.epochNow() - 1 }));
    await f.clock.advance(0);
    expect(await ends).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  });

  it('leaving no timer behind, however it ends', async () => {
    const f = new PoolFixture();
    const stop = new AbortController();
    const options = { timeoutMs: 60_000, signal: stop.signal };
    const ends = [f.hello('a', options), f.pool.pick(options)].map(outcomeOf);
    await settle();
    expect(f.clock.pending).toBe(2);
    stop.abort();
    await Promise.all(ends);
    expect(f.clock.pending).toBe(0);
    const [call, pick] = [f.hello('a', { timeoutMs: 60_000 }), f.pool.pick({ timeoutMs: 60_000 })];
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    expect(f.clock.pending).toBe(0);
    f.transport.call.answer(greeting(''));
    await call;
    (await pick).finish();
  });
});

describe('room', () => {
  it('is by endpoint, and follows its attributes', async () => {
    const room = (n: number) => endpoint('a', 'h:1', { metadata: { room: String(n) } });
    const f = new PoolFixture({ maxPendingPerEndpoint: ({ metadata }) => Number(metadata.room) });
    await f.serving(room(1));
    for (const name of ['a', 'b', 'c']) void f.hello(name);
    await settle();
    expect(f.sent).toEqual(['a@h:1']);
    await f.put(room(2));
    expect(f.sent).toEqual(['a@h:1', 'b@h:1']);
    await f.put(room(9));
    expect(f.sent).toEqual(['a@h:1', 'b@h:1', 'c@h:1']);
    for (const call of f.transport.calls) call.answer(greeting(''));
  });

  it('must be a whole number of 1 or more', () => {
    for (const maxPendingPerEndpoint of [0, -1, Number.NaN, 1.5]) {
      expect(() => new PoolFixture({ maxPendingPerEndpoint })).toThrow('maxPendingPerEndpoint');
    }
  });

  it('is without bound, with a warning, where the function that says it fails', async () => {
    let said: unknown = 0;
    const f = new PoolFixture({
      maxPendingPerEndpoint: () => {
        if (said === 'throw') throw new Error('boom');
        return said as number;
      },
    });
    await f.serving('h:1');
    said = 'throw';
    await f.put('h:2');
    expect(f.warnings).toEqual([
      expect.stringContaining('maxPendingPerEndpoint'),
      expect.stringContaining('boom'),
    ]);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 connecting 0']);
    expect(f.pool.snapshot().registry.kind).toBe('current');
  });
});

function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}
