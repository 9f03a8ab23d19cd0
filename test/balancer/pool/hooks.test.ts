// Hooks of the user's that throw or reject: the mistake is told once, the call ends, and nothing is left behind.
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { echoReply, greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const request = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 1 };
const mine = new Error('mine');

function throwing(): never {
  throw mine;
}

/** Warnings of the process while it runs. */
async function warnings(run: () => Promise<unknown>): Promise<string[]> {
  const heard: string[] = [];
  const hear = (warning: Error) => heard.push(warning.message);
  process.on('warning', hear);
  try {
    await run();
    await new Promise(setImmediate);
  } finally {
    process.off('warning', hear);
  }
  return heard;
}

describe('onMetadata that throws', () => {
  const failed = { code: Status.INTERNAL, details: 'onMetadata threw: mine', cause: mine };

  it('fails a unary call, which is cancelled', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a', { onMetadata: throwing });
    f.transport.call.headers();
    expect(await outcome(call)).toMatchObject(failed);
    expect(f.transport.call.cancelled).toMatchObject({ code: Status.INTERNAL });
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('fails a stream', async () => {
    const f = await new PoolFixture().serving('h:1');
    const next = f.echo.bidi([request], { onMetadata: throwing }).next();
    await settle();
    f.transport.call.headers();
    expect(await outcome(next)).toMatchObject(failed);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('fails a hedged call', async () => {
    const methods = { '/helloworld.Greeter/*': { idempotent: true, hedge: { delayMs: 50 } } };
    const f = await new PoolFixture({ methods }).serving('h:1');
    const call = f.hello('a', { onMetadata: throwing });
    f.transport.call.answer(greeting('hi'));
    expect(await outcome(call)).toMatchObject(failed);
  });

  it('is told by a warning where it is async, and the call goes on', async () => {
    const f = await new PoolFixture().serving('h:1');
    const told = await warnings(async () => {
      const call = f.hello('a', { onMetadata: async () => throwing() });
      f.transport.call.answer(greeting('hi'));
      expect(await call).toBe('hi');
    });
    expect(told).toEqual(['onMetadata has thrown: mine']);
  });
});

describe('onStatus that throws', () => {
  const failed = { code: Status.INTERNAL, details: 'onStatus threw: mine', cause: mine };

  it('fails a call that was good', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a', { onStatus: throwing });
    f.transport.call.answer(greeting('hi'));
    expect(await outcome(call)).toMatchObject(failed);
    const next = f.echo.serverStream(request, { onStatus: throwing }).next();
    await settle();
    f.transport.call.headers().end();
    expect(await outcome(next)).toMatchObject(failed);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('hears of a status, and of nothing else that we know', async () => {
    const f = await new PoolFixture().serving('h:1');
    const statuses: object[] = [];
    const call = f.hello('a', { onStatus: (status) => statuses.push(status) });
    f.transport.call.end(Status.NOT_FOUND, 'no');
    await outcome(call);
    expect(statuses.map((status) => Object.keys(status).sort())).toEqual([['code', 'details', 'metadata']]);
  });
});

describe('a logger that throws', () => {
  it('is told once, and disturbs neither the table nor close()', async () => {
    const told = await warnings(async () => {
      const f = await new PoolFixture({ logger: { info: throwing, warn: throwing } }).serving('h:1');
      await f.stale('away');
      expect(f.pool.snapshot().registry).toMatchObject({ kind: 'stale' });
      await f.snapshot('h:1');
      expect(f.pool.snapshot().registry).toMatchObject({ kind: 'current' });
      await f.stale('away again');
      await f.end();
    });
    expect(told).toEqual(['the logger has thrown: mine']);
  });
});

describe('requestSerialize', () => {
  const service = (requestSerialize: () => unknown) => ({
    call: {
      path: '/a.B/C',
      requestStream: false as const,
      responseStream: false as const,
      requestSerialize: requestSerialize as () => Buffer,
      responseDeserialize: (bytes: Buffer) => bytes.toString(),
    },
  });

  it.each([
    ['throws', throwing],
    ['gives text', () => 'text'],
    ['gives nothing', () => undefined],
  ])('that %s fails the call before it is made', async (_, serialize) => {
    const f = await new PoolFixture().serving('h:1');
    expect(await outcome(f.pool.stub(service(serialize)).call({}))).toMatchObject({
      code: Status.INTERNAL,
      details: expect.stringMatching(/^Request message serialization failure: /),
    });
    expect(f.transport.calls).toEqual([]);
  });

  it.each([
    ['throws', throwing],
    ['gives text', () => 'text'],
  ])('that %s fails a stream, and leaves no listener on its signal', async (_, serialize) => {
    const f = await new PoolFixture().serving('h:1');
    const { signal } = new AbortController();
    const failed = { code: Status.INTERNAL, details: expect.stringMatching(/serialization failure/) };
    const { call } = service(serialize);
    const streams = f.pool.stub({
      server: { ...call, responseStream: true as const },
      bidi: { ...call, requestStream: true as const, responseStream: true as const },
      client: { ...call, requestStream: true as const },
    });
    expect(await outcome(streams.server({}, { signal }).next())).toMatchObject(failed);
    expect(await outcome(streams.bidi([{}], { signal }).next())).toMatchObject(failed);
    expect(await outcome(streams.client([{}], { signal }))).toMatchObject(failed);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('may give any bytes', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.pool.stub(service(() => new Uint8Array([104, 105]))).call({});
    expect(f.transport.call.sent.map(String)).toEqual(['hi']);
    f.transport.call.answer(Buffer.from('there'));
    expect(await outcome(call)).toBe('there');
  });
});

describe('responses that are left', () => {
  async function reading() {
    const f = await new PoolFixture().serving('h:1');
    const messages = f.echo.serverStream(request);
    const next = messages.next();
    await settle();
    return { f, messages, next };
  }

  it.each(['return', 'throw'] as const)(
    'by %s while a next() is pending: the call ends at once',
    async (how) => {
      const { f, messages, next } = await reading();
      const left =
        how === 'return' ? messages.return() : messages.throw(mine).catch((error: unknown) => error);
      await settle();
      expect(f.transport.call.cancelled).toMatchObject({ code: Status.CANCELLED });
      expect(await next).toMatchObject({ done: true });
      expect(await left).toEqual(how === 'return' ? { done: true, value: undefined } : mine);
      expect(f.rows).toEqual(['h:1 ready 0']);
    },
  );

  it('between two messages end the call, too, and before the first one never begin it', async () => {
    const f = await new PoolFixture().serving('h:1');
    const unread = f.echo.serverStream(request);
    await unread.return();
    expect(f.transport.calls).toEqual([]);
    const { messages, f: g } = await reading();
    g.transport.call.headers().message(echoReply());
    await settle();
    await messages.return();
    await settle();
    expect(g.transport.call.cancelled).toMatchObject({ code: Status.CANCELLED });
  });
});
