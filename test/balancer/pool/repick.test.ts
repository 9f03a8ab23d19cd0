import { describe, expect, it } from 'vitest';
import { GreeterClient, GreeterService } from '../../../generated/helloworld.js';
import type { Outcome } from '../../../src/balancer/pickers/picker.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const SAY_HELLO = GreeterService.sayHello.path;

describe('a call that never reached a server', () => {
  it.each([
    ['had no stream', (f: PoolFixture) => f.transport.call.loseUnsent()],
    ['was refused its stream', (f: PoolFixture) => f.transport.call.refuse()],
    ['could not be started', (f: PoolFixture) => f.transport.call.loseUnsent(Status.INTERNAL)],
  ])('goes to another at once: it %s', async (_, lose) => {
    const f = await new PoolFixture().serving('h:1', 'h:2', 'h:3');
    f.transport.opensStreams = false;
    const call = f.hello('a');
    lose(f);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2']);
    lose(f);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2', 'a@h:3']);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0', 'h:3 ready 1']);
    f.transport.call.open().answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('goes to another when its channel was shut', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.transport.to('h:1').refuses = new Error('Channel has been shut down');
    const call = f.hello('a');
    await settle();
    expect(f.sent).toEqual(['a@h:2']);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 1']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('is sent whole: deadline, metadata, authority, request', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const deadline = f.clock.epochNow() + 5_000;
    void f.hello('a', { deadline, authority: 'me' });
    f.transport.call.refuse();
    const [first, second] = f.transport.calls;
    expect(second).toMatchObject({ deadline, authority: 'me', path: first!.path, halfClosed: true });
    expect(second!.sent).toEqual(first!.sent);
    expect(second!.metadata).toEqual(first!.metadata);
    f.transport.call.answer(greeting(''));
  });

  it('tells the picker of an attempt without a latency', async () => {
    const outcomes: Outcome[] = [];
    const f = await new PoolFixture({
      picker: () => ({
        name: 'listening',
        pick: (ready, { exclude }) => ready.find((candidate) => !exclude?.has(candidate)),
        finished: (_, __, outcome) => void outcomes.push(outcome),
      }),
    }).serving('h:1', 'h:2');
    void f.hello('a');
    f.transport.call.refuse();
    await f.clock.advance(20);
    f.transport.call.answer(greeting(''));
    expect(outcomes).toEqual([
      { code: Status.UNAVAILABLE, method: SAY_HELLO, blameless: false },
      { code: Status.OK, latencyMs: 20, method: SAY_HELLO, blameless: false },
    ]);
  });

  it('waits at its old place when nobody else has room', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    f.transport.opensStreams = false;
    for (const name of ['a', 'b', 'c']) void f.hello(name);
    await settle();
    // The room that it leaves goes to the next, who has not been refused there.
    f.transport.call.refuse();
    expect(f.sent).toEqual(['a@h:1', 'b@h:1']);
    expect(f.pool.snapshot().waiting).toBe(2);
    await f.put('h:2');
    f.transport.opensStreams = true;
    f.transport.to('h:2').ready();
    expect(f.sent).toEqual(['a@h:1', 'b@h:1', 'a@h:2']);
    f.transport.calls[1]!.open().answer(greeting(''));
    expect(f.sent.at(-1)).toBe('c@h:1');
    for (const wire of f.transport.open) wire.answer(greeting(''));
  });

  it('waits when the last connection is gone, and still has its deadline', async () => {
    const f = await new PoolFixture().serving('h:1');
    f.transport.opensStreams = false;
    const call = f.hello('a', { timeoutMs: 5_000 });
    await f.clock.advance(3_000);
    f.transport.to('h:1').lost();
    f.transport.call.loseUnsent();
    expect(f.pool.snapshot()).toMatchObject({ waiting: 1, pending: 0 });
    await f.clock.advance(1_999);
    expect(await outcome(call)).toBe('pending');
    await f.clock.advance(1);
    expect(await outcome(call)).toMatchObject({
      code: Status.DEADLINE_EXCEEDED,
      details: expect.stringMatching(/^Deadline exceeded after 5\.000s/),
    });
  });

  it('tries those that refused it again after a back-off, when only they have room, five rounds long', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    const rounds: number[] = [];
    for (let i = 0; i < 30 && (await outcome(call)) === 'pending'; i++) {
      while (f.transport.open.length > 0) f.transport.call.refuse();
      rounds.push(f.transport.calls.length);
      expect(f.pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
      await f.clock.advance(1_000);
    }
    expect(await outcome(call)).toMatchObject({
      code: Status.UNAVAILABLE,
      details: 'Stream refused by server',
      address: expect.stringMatching(/^h:[12]$/),
    });
    // Both at first, then somebody in each of five rounds: 20 ms, 40 ms, ... at most 1 s apart.
    expect(rounds[0]).toBe(2);
    expect(rounds.length).toBe(6);
    expect(f.clock.pending).toBe(0);
  });

  it('goes to a newcomer that has come while it backed off', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a');
    f.transport.call.refuse();
    await f.put('h:2');
    f.transport.to('h:2').ready();
    await f.clock.advance(20);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('ends at its deadline while it backs off', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a', { timeoutMs: 100 });
    await f.clock.advance(99);
    f.transport.call.refuse();
    const ends = outcome(call);
    await f.clock.advance(1);
    await ends;
    if ((await outcome(call)) === 'pending') f.transport.call.end(Status.DEADLINE_EXCEEDED);
    expect(await outcome(call)).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    expect(f.clock.pending).toBe(0);
  });

  it('is cancelled while it backs off', async () => {
    const f = await new PoolFixture().serving('h:1');
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    f.transport.call.refuse();
    await settle();
    stop.abort();
    expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED });
    expect(f.clock.pending).toBe(0);
    await f.clock.advance(1_000);
    expect(f.transport.calls.length).toBe(1);
  });

  it.each([Status.INTERNAL, Status.UNAVAILABLE])(
    'is not taken elsewhere when it is its own fault, and nobody is blamed (%d)',
    async (code) => {
      const outcomes: Outcome[] = [];
      const f = await new PoolFixture({
        picker: () => ({
          name: 'listening',
          pick: ([first]) => first,
          finished: (_, __, ended) => void outcomes.push(ended),
        }),
      }).serving('h:1', 'h:2');
      f.transport.opensStreams = false;
      const call = f.hello('a');
      f.transport.call.unsendable(code, 'no such header');
      expect(await outcome(call)).toMatchObject({ code, details: 'no such header' });
      expect(f.transport.calls.length).toBe(1);
      expect(outcomes).toEqual([{ code, method: SAY_HELLO, blameless: true }]);
    },
  );
});

describe('a call that a whole fleet refuses', () => {
  it('asks so many at once, and lets others have their turn before it goes on', async () => {
    const f = await new PoolFixture().serving(...Array.from({ length: 40 }, (_, n) => `h:${n}`));
    // Each refuses as soon as it has the call.
    f.transport.onStart = () => queueMicrotask(() => f.transport.open.at(-1)?.refuse());
    const call = f.hello('a');
    await settle();
    expect(f.transport.calls.length).toBe(32);
    await f.clock.advance(20);
    expect(f.transport.calls.length).toBe(40);
    expect(new Set(f.sent).size).toBe(40);
    await f.clock.advance(10_000);
    expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE });
    expect(f.clock.pending).toBe(0);
  });
});

describe('a transport that throws where it must not', () => {
  const mistake = new TypeError('not a function');

  it.each(['pool.stub', 'pool.client', 'pick.as'])('costs its own call, and no row: by %s', async (way) => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const byClient = (client: GreeterClient) =>
      new Promise((_, reject) => client.sayHello({ name: 'a' }, (error) => reject(error)));
    const make = async () => {
      if (way === 'pool.stub') return f.hello('a');
      return byClient(
        way === 'pool.client' ? f.pool.client(GreeterClient) : (await f.pool.pick()).as(GreeterClient),
      );
    };
    f.transport.to('h:1').throws = mistake;
    expect(await outcome(make())).toMatchObject({ code: Status.INTERNAL, details: 'not a function' });
    expect(f.rows).toEqual(['h:1 ready 0']);
    f.transport.to('h:1').throws = undefined;
    const next = f.hello('b');
    f.transport.call.answer(greeting('hi'));
    expect(await next).toBe('hi');
  });

  it('costs a call that was waiting no less', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const [first, second, third] = ['a', 'b', 'c'].map((name) => f.hello(name));
    await settle();
    f.transport.to('h:1').throws = mistake;
    f.transport.call.answer(greeting('hi'));
    expect(await first).toBe('hi');
    for (const call of [second, third]) expect(await outcome(call!)).toMatchObject({ code: Status.INTERNAL });
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});

describe('a call that may have reached a server', () => {
  it.each([
    ['a lost connection', Status.UNAVAILABLE, 'Connection dropped', {}],
    ['a reset', Status.UNAVAILABLE, 'read ECONNRESET', {}],
    ['a server that says UNAVAILABLE', Status.UNAVAILABLE, 'come back later', {}],
    ['a server that says what grpc-js says', Status.UNAVAILABLE, 'Stream refused by server', { x: 'y' }],
    ['a GOAWAY', Status.INTERNAL, 'Received RST_STREAM with code 2', {}],
    ['an error', Status.UNKNOWN, 'no', {}],
  ])('is not sent again, after %s', async (_, code, details, trailers) => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    f.transport.call.end(code, details, trailers);
    expect(await outcome(call)).toMatchObject({ code, details, address: 'h:1' });
    expect(f.transport.calls.length).toBe(1);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
  });

  it('is not sent again when headers had come', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    f.transport.call.headers().refuse();
    expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE });
    expect(f.transport.calls.length).toBe(1);
  });

  it.each([
    ['CANCELLED', Status.CANCELLED],
    ['DEADLINE_EXCEEDED', Status.DEADLINE_EXCEEDED],
    ['RESOURCE_EXHAUSTED', Status.RESOURCE_EXHAUSTED],
  ])('is not sent again for %s, stream or no stream', async (_, code) => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    for (const opens of [true, false]) {
      f.transport.opensStreams = opens;
      const call = f.hello('a');
      f.transport.call.end(code, 'no');
      expect(await outcome(call)).toMatchObject({ code });
    }
    expect(f.transport.calls.length).toBe(2);
  });
});

describe('a call that was cancelled', () => {
  it('is not sent again, whatever its wire says', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.transport.opensStreams = false;
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    stop.abort('enough');
    expect(await outcome(call)).toMatchObject({
      code: Status.CANCELLED,
      details: 'Cancelled on client',
      cause: 'enough',
    });
    expect(f.transport.call.cancelled).toMatchObject({ code: Status.CANCELLED });
    expect(f.transport.calls.length).toBe(1);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
  });

  it('is not sent again when its wire had failed just before', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.transport.opensStreams = false;
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    // A call on the wire that has ended cannot be cancelled: what it ended with is on its way.
    f.transport.call.cancel = () => {};
    stop.abort();
    f.transport.call.loseUnsent();
    expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE });
    expect(f.transport.calls.length).toBe(1);
  });

  it('is not sent when its wire could not be made', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.transport.to('h:1').refuses = new Error('Channel has been shut down');
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    stop.abort();
    expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED });
    expect(f.transport.calls.length).toBe(0);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
  });

  it('has its end told once, when the answer was on its way', async () => {
    const f = await new PoolFixture().serving('h:1');
    const stop = new AbortController();
    const ends: number[] = [];
    const call = f.hello('a', { signal: stop.signal, onStatus: ({ code }) => ends.push(code) });
    f.transport.call.answer(greeting('hi'));
    stop.abort();
    // The fake, as grpc-js, gives messages and a good status only after a turn: either end is fine, once.
    await outcome(call);
    expect(ends.length).toBe(1);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});

describe('an answer', () => {
  it('that cannot be read fails the call, and cancels it on the wire', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a');
    await settle();
    f.transport.call.headers().message(Buffer.from([0x0a, 0xff]));
    expect(await outcome(call)).toMatchObject({
      code: Status.INTERNAL,
      details: expect.stringMatching(/^Response message parsing error: /),
    });
    expect(f.transport.call.cancelled).toMatchObject({ code: Status.INTERNAL });
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('that cannot be read fails the call, though the wire ended well before it could be cancelled', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a');
    await settle();
    f.transport.call.cancel = () => {};
    f.transport.call.answer(Buffer.from([0x0a, 0xff]));
    expect(await outcome(call)).toMatchObject({ code: Status.INTERNAL });
  });

  it('that is none fails the call', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a');
    f.transport.call.headers().end();
    expect(await outcome(call)).toMatchObject({ code: Status.UNIMPLEMENTED, details: 'No message received' });
  });

  it('is told with its headers and trailers', async () => {
    const f = await new PoolFixture().serving('h:1');
    const heard: unknown[] = [];
    const call = f.hello('a', {
      onMetadata: (headers) => heard.push(headers.getMap()),
      onStatus: ({ code, metadata }) => heard.push(code, metadata.getMap()),
    });
    f.transport.call.headers({ h: '1' }).message(greeting('hi')).end(Status.OK, '', { t: '2' });
    expect(await call).toBe('hi');
    expect(heard).toEqual([{ h: '1' }, Status.OK, { t: '2' }]);
  });

  it('to a request that cannot be written is an error, and nothing is picked', async () => {
    const f = await new PoolFixture().serving(endpoint('a', 'h:1'));
    const call = f.greeter.sayHello(null as never);
    expect(await outcome(call)).toMatchObject({
      code: Status.INTERNAL,
      details: expect.stringMatching(/^Request message serialization failure: /),
      address: undefined,
    });
    expect(f.transport.calls).toEqual([]);
    expect(f.pool.snapshot().subchannels[0]).toMatchObject({ picked: 0 });
  });
});
