import { describe, expect, it } from 'vitest';
import { GreeterClient } from '../../../generated/helloworld.js';
import type { RetryOptions } from '../../../src/balancer/core/retry-options.js';
import type { Candidate, PickContext } from '../../../src/balancer/pickers/picker.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import {
  echoReply,
  type FixtureOptions,
  greeting,
  outcome,
  PoolFixture,
} from '../../support/pool-fixture.js';

const SAY_HELLO = '/helloworld.Greeter/SayHello';
const { UNAVAILABLE, INTERNAL, ABORTED, DEADLINE_EXCEEDED } = Status;
const previousAttempts = (f: PoolFixture) =>
  f.transport.calls.map((wire) => wire.metadata.get('grpc-previous-rpc-attempts')[0]);
/** The most that may be waited always is. */
const longest = (n: number) => n - 1;

function fleet(
  retry: RetryOptions = {},
  options: FixtureOptions = {},
  ...addresses: string[]
): Promise<PoolFixture> {
  const all = addresses.length > 0 ? addresses : ['h:1', 'h:2', 'h:3'];
  return new PoolFixture({ random: longest, retry, ...options }).serving(...all);
}

describe('a declared retry', () => {
  it('is made elsewhere after a back-off, and says which attempt it is', async () => {
    const f = await fleet();
    const call = f.hello('a');
    f.transport.call.end(UNAVAILABLE, 'no');
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0', 'h:3 ready 0']);
    await f.clock.advance(24);
    expect(f.sent).toEqual(['a@h:1']);
    await f.clock.advance(1);
    f.transport.call.end(UNAVAILABLE, 'no');
    await f.clock.advance(49);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2']);
    await f.clock.advance(1);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2', 'a@h:3']);
    expect(previousAttempts(f)).toEqual([undefined, '1', '2']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(f.clock.pending).toBe(0);
  });

  it('is made until there were so many attempts, and fails as the last did', async () => {
    const f = await fleet({ maxAttempts: 3 });
    const call = f.hello('a');
    for (const details of ['one', 'two', 'three']) {
      f.transport.call.end(UNAVAILABLE, details);
      await f.clock.advance(1_000);
    }
    expect(await outcome(call)).toMatchObject({ code: UNAVAILABLE, details: 'three', address: 'h:3' });
    expect(f.transport.calls.length).toBe(3);
  });

  it('is made for the codes that are declared, and ends at any other', async () => {
    const f = await fleet({ codes: ['ABORTED', 'INTERNAL'], maxAttempts: 9 });
    const call = f.hello('a');
    for (const code of [ABORTED, INTERNAL, UNAVAILABLE]) {
      f.transport.call.end(code, 'no');
      await f.clock.advance(1_000);
    }
    expect(await outcome(call)).toMatchObject({ code: UNAVAILABLE });
    expect(f.transport.calls.length).toBe(3);
  });

  it('is not made where none is declared', async () => {
    const f = await fleet({}, { methods: { [SAY_HELLO]: { retry: false } } });
    for (const options of [{}, { retry: false }] as const) {
      const call = f.hello('a', options);
      f.transport.call.end(UNAVAILABLE, 'no');
      expect(await outcome(call)).toMatchObject({ code: UNAVAILABLE });
    }
    expect(f.transport.calls.length).toBe(2);
  });

  it('goes by the call before the method', async () => {
    const f = await fleet({}, { methods: { [SAY_HELLO]: { retry: false } } });
    const call = f.hello('a', { retry: { maxAttempts: 2, codes: ['INTERNAL'] } });
    f.transport.call.end(INTERNAL, 'no');
    await f.clock.advance(25);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(await outcome(f.hello('a', { retry: { maxAttempts: 1 } }))).toMatchObject({
      code: 'INVALID_OPTION',
    });
  });

  it('goes to one that has failed it only when no other has room', async () => {
    const f = await fleet({ maxAttempts: 5 }, { maxPendingPerEndpoint: 1 }, 'h:1', 'h:2');
    const call = f.hello('a');
    f.transport.call.end(UNAVAILABLE, 'no');
    const blocker = f.hello('b');
    expect(f.sent).toEqual(['a@h:1', 'b@h:2']);
    await f.clock.advance(25);
    expect(f.sent.at(-1)).toBe('a@h:1');
    f.transport.call.end(UNAVAILABLE, 'no');
    f.transport.calls[1]!.answer(greeting('b'));
    await f.clock.advance(50);
    expect(f.sent.at(-1)).toBe('a@h:2');
    f.transport.call.answer(greeting('hi'));
    expect(await Promise.all([call, blocker])).toEqual(['hi', 'b']);
  });

  it('goes to another, whatever the picker likes best', async () => {
    const picker = () => ({
      name: 'stubborn',
      pick: (ready: readonly Candidate[], { exclude }: PickContext) =>
        ready.find((candidate) => !exclude?.has(candidate)),
    });
    const f = await fleet({ maxAttempts: 4 }, { picker });
    const call = f.hello('a');
    for (let i = 0; i < 3; i++) {
      f.transport.call.end(UNAVAILABLE, 'no');
      await f.clock.advance(1_000);
    }
    // The last finds nobody else.
    expect(f.sent).toEqual(['a@h:1', 'a@h:2', 'a@h:3', 'a@h:1']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('waits for a place, at its old one, when there is none', async () => {
    const f = await fleet({}, {}, 'h:1');
    const call = f.hello('a');
    f.transport.to('h:1').lost();
    f.transport.call.end(UNAVAILABLE, 'Connection dropped');
    const later = f.hello('b');
    await f.clock.advance(25);
    expect(f.pool.snapshot().waiting).toBe(2);
    f.transport.to('h:1').ready();
    expect(f.sent).toEqual(['a@h:1', 'a@h:1', 'b@h:1']);
    for (const wire of f.transport.open) wire.answer(greeting('hi'));
    expect(await Promise.all([call, later])).toEqual(['hi', 'hi']);
  });

  it('counts no attempt that never reached a server', async () => {
    const f = await fleet({ maxAttempts: 2 });
    const call = f.hello('a');
    f.transport.call.refuse();
    f.transport.call.end(UNAVAILABLE, 'no');
    await f.clock.advance(25);
    expect(previousAttempts(f)).toEqual([undefined, undefined, '1']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('is cancelled while it waits, and leaves no timer', async () => {
    const f = await fleet();
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    f.transport.call.end(UNAVAILABLE, 'no');
    await settle();
    stop.abort('enough');
    expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED, cause: 'enough' });
    expect(f.clock.pending).toBe(0);
    await f.clock.advance(1_000);
    expect(f.transport.calls.length).toBe(1);
  });

  it('is given up by a pool that closes', async () => {
    const f = await fleet();
    const call = f.hello('a');
    f.transport.call.end(UNAVAILABLE, 'no');
    await settle();
    void f.pool.close();
    expect(await outcome(call)).toMatchObject({ code: UNAVAILABLE, cause: { code: 'CLOSED' } });
  });
});

describe('the time of an attempt', () => {
  const deadlines = (f: PoolFixture) =>
    f.transport.calls.map((wire) => Number(wire.deadline) - f.clock.epoch);

  it('is the smaller of its own and what is left; past it there is another attempt', async () => {
    const f = await fleet({ perAttemptTimeoutMs: 100, maxAttempts: 5, backoff: { baseMs: 0, maxMs: 0 } });
    const start = f.clock.now();
    const call = f.hello('a', { timeoutMs: 250 });
    for (let i = 0; i < 2; i++) {
      await f.clock.advance(100);
      f.transport.call.end(DEADLINE_EXCEEDED, 'late');
      await f.clock.advance(0);
    }
    expect(deadlines(f)).toEqual([start + 100, start + 200, start + 250]);
    await f.clock.advance(50);
    f.transport.call.end(DEADLINE_EXCEEDED, 'over');
    expect(await outcome(call)).toMatchObject({ code: DEADLINE_EXCEEDED, details: 'over' });
    expect(f.transport.calls.length).toBe(3);
  });

  it('is that of the call by default; a server that says DEADLINE_EXCEEDED is believed', async () => {
    const f = await fleet();
    const call = f.hello('a', { timeoutMs: 250 });
    expect(deadlines(f)).toEqual([1_250]);
    f.transport.call.end(DEADLINE_EXCEEDED, 'said the server');
    expect(await outcome(call)).toMatchObject({ code: DEADLINE_EXCEEDED });
  });

  it('ends with the deadline of the call while it backs off, which says so', async () => {
    const f = await fleet({ backoff: { baseMs: 1_000, maxMs: 1_000 } });
    const call = f.hello('a', { timeoutMs: 100 });
    f.transport.call.end(UNAVAILABLE, 'no');
    const ends = call.catch((error: unknown) => error);
    await f.clock.advance(100);
    expect(await ends).toMatchObject({ code: DEADLINE_EXCEEDED });
    expect(f.clock.pending).toBe(0);
    expect(f.transport.calls.length).toBe(1);
  });
});

describe("a server's pushback", () => {
  it('says how long to wait, in place of the back-off', async () => {
    const f = await fleet();
    const call = f.hello('a');
    f.transport.call.end(UNAVAILABLE, 'no', { 'grpc-retry-pushback-ms': '700' });
    await f.clock.advance(699);
    expect(f.transport.calls.length).toBe(1);
    await f.clock.advance(1);
    f.transport.call.end(UNAVAILABLE, 'no', { 'grpc-retry-pushback-ms': '0' });
    await f.clock.advance(0);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it.each(['-1', 'x', '1.5'])('of %s says not to try again', async (pushback) => {
    const f = await fleet();
    const call = f.hello('a');
    f.transport.call.end(UNAVAILABLE, 'no', { 'grpc-retry-pushback-ms': pushback });
    expect(await outcome(call)).toMatchObject({ code: UNAVAILABLE });
  });
});

describe('the retry budget', () => {
  it('lets an outage cost a fifth more calls, and ten a second', async () => {
    const f = await fleet(
      { maxAttempts: 5, backoff: { baseMs: 0, maxMs: 0 } },
      { retryBudget: { ratio: 0.2, minPerSecond: 1 } },
    );
    const calls = Array.from({ length: 100 }, () => f.hello('a'));
    for (let i = 0; i < 10; i++) {
      for (const wire of f.transport.open) wire.end(UNAVAILABLE, 'no');
      await f.clock.advance(0);
    }
    expect(f.transport.calls.length).toBe(100 + 20 + 10);
    for (const call of calls) expect(await outcome(call)).toMatchObject({ code: UNAVAILABLE });
  });

  it('is not asked for calls that never reached a server', async () => {
    const f = await fleet({}, { retryBudget: { ratio: 0, minPerSecond: 0 } });
    const call = f.hello('a');
    f.transport.call.refuse();
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('holds for hedges too', async () => {
    const f = await new PoolFixture({
      methods: { [SAY_HELLO]: { idempotent: true, hedge: { delayMs: 50 } } },
      retryBudget: { ratio: 0, minPerSecond: 0.1 },
    }).serving('h:1', 'h:2');
    const calls = [f.hello('a'), f.hello('b')];
    await f.clock.advance(50);
    expect(f.transport.calls.length).toBe(3);
    for (const wire of f.transport.open) wire.answer(greeting('hi'));
    expect(await Promise.all(calls)).toEqual(['hi', 'hi']);
  });
});

describe('a response', () => {
  const request = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 1 };

  it('that began ends a stream, whatever comes after its first message', async () => {
    const f = await fleet();
    const messages = f.echo.serverStream(request);
    const first = messages.next();
    await settle();
    f.transport.call.headers().message(echoReply({ seen: 1 }));
    expect(await first).toMatchObject({ value: { seen: 1 } });
    const next = messages.next();
    next.catch(() => {});
    f.transport.call.end(UNAVAILABLE, 'no');
    expect(await outcome(next)).toMatchObject({ code: UNAVAILABLE });
    await f.clock.advance(1_000);
    expect(f.transport.calls.length).toBe(1);
  });

  it('of headers alone does, too: they are told at once, and there is no other attempt (gRFC A6)', async () => {
    const f = await fleet();
    const heard: unknown[] = [];
    const messages = f.echo.serverStream(request, { onMetadata: (headers) => heard.push(headers.getMap()) });
    const first = messages.next();
    await settle();
    f.transport.call.end(UNAVAILABLE, 'without headers');
    await f.clock.advance(25);
    f.transport.call.headers({ attempt: '2' });
    expect(heard).toEqual([{ attempt: '2' }]);
    f.transport.call.end(UNAVAILABLE, 'with headers');
    expect(await outcome(first)).toMatchObject({ code: UNAVAILABLE, details: 'with headers' });
    await f.clock.advance(1_000);
    expect(f.transport.calls.length).toBe(2);
  });

  it('of headers alone does so for a unary call, by a stub and by a client', async () => {
    const f = await fleet();
    const byStub = f.hello('a');
    f.transport.call.headers().end(UNAVAILABLE, 'with headers');
    expect(await outcome(byStub)).toMatchObject({ code: UNAVAILABLE });
    const byClient = new Promise((resolve) => f.pool.client(GreeterClient).sayHello({ name: 'a' }, resolve));
    await settle();
    f.transport.call.headers().end(UNAVAILABLE, 'with headers');
    expect(await byClient).toMatchObject({ code: UNAVAILABLE });
    await f.clock.advance(1_000);
    expect(f.transport.calls.length).toBe(2);
  });

  it('of headers reaches a stream of both before it has sent anything', async () => {
    const f = await fleet();
    let told = (_: unknown) => {};
    const headers = new Promise((resolve) => {
      told = resolve;
    });
    const messages = f.echo.bidi(
      (async function* () {
        await headers;
        yield request;
      })(),
      { onMetadata: (metadata) => told(metadata.getMap()) },
    );
    const first = messages.next();
    await settle();
    const wire = f.transport.call;
    expect(wire.sent.length).toBe(0);
    wire.headers({ ready: 'yes' });
    expect(await headers).toEqual({ ready: 'yes' });
    await settle();
    expect(wire.sent.length).toBe(1);
    wire.message(echoReply({ seen: 7 })).end();
    expect(await first).toMatchObject({ value: { seen: 7 } });
    await messages.return();
  });

  it('of headers is told at the end, when no message comes', async () => {
    const f = await fleet();
    const heard: unknown[] = [];
    const call = f.hello('a', { onMetadata: (headers) => heard.push(headers.getMap()) });
    f.transport.call.headers({ attempt: '1' }).end(Status.NOT_FOUND, 'no');
    expect(await outcome(call)).toMatchObject({ code: Status.NOT_FOUND });
    expect(heard).toEqual([{ attempt: '1' }]);
  });

  it('of headers is told at once when nothing is declared', async () => {
    const f = await new PoolFixture().serving('h:1');
    const heard: unknown[] = [];
    void f.hello('a', { onMetadata: (headers) => heard.push(headers.getMap()) });
    f.transport.call.headers({ attempt: '1' });
    expect(heard).toEqual([{ attempt: '1' }]);
    f.transport.call.message(greeting('')).end();
  });
});

describe('what is sent', () => {
  it('again is the same, also of a stream of requests', async () => {
    const f = await fleet();
    const requests = ['x', 'y'].map((text) => ({
      payload: Buffer.from(text),
      delayMs: 0,
      code: 0,
      details: '',
      count: 0,
    }));
    const call = f.echo.clientStream(requests);
    await settle();
    f.transport.call.end(UNAVAILABLE, 'no');
    await f.clock.advance(25);
    const [first, second] = f.transport.calls;
    expect(second).toMatchObject({ path: first!.path, halfClosed: true });
    expect(second!.sent).toEqual(first!.sent);
    expect(second!.sent.length).toBe(2);
    second!
      .headers()
      .message(echoReply({ seen: 2 }))
      .end();
    expect(await call).toMatchObject({ seen: 2 });
  });

  it('by a generated client is retried alike', async () => {
    const f = await fleet({}, { methods: {} });
    const answer = new Promise((resolve) => {
      f.pool.client(GreeterClient).sayHello({ name: 'a' }, (error, reply) => resolve(error ?? reply));
    });
    await new Promise(setImmediate);
    f.transport.call.end(UNAVAILABLE, 'no');
    await f.clock.advance(25);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2']);
    f.transport.call.answer(greeting('hi'));
    expect(await answer).toEqual({ message: 'hi' });
  });
});
