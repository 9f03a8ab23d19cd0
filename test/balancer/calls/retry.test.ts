// Declared retries, as servers see them and callers are told of them. What decides between attempts is tested on fake
// connections and a virtual clock, in test/balancer/pool/retries.test.ts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants } from 'node:http2';
import { makeClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { AttemptEndMessage } from '../../../src/balancer/calls/diagnostics.js';
import type { RetryOptions } from '../../../src/balancer/core/retry-options.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { request } from './drive.js';
import { answer, answerAtEnd, failWith, type RawCall, type RawServer } from './raw-server.js';
import { call, named, poolOf, SOON, serve } from './repick.js';

const UNARY = '/evenkeel.echo.v1.Echo/Unary';
const UNAVAILABLE = 14;
const ABORTED = 10;
const CANCELLED = 1;
const QUICK = { baseMs: 5, maxMs: 10 };

/** A fleet of servers that all treat a call alike, and what they had, in order. */
async function fleet(size: number, handle: (call: RawCall, number: number) => void) {
  const arrivals: { address: string; previous: unknown; at: number }[] = [];
  const servers: RawServer[] = [];
  for (let n = 0; n < size; n++) {
    const server: RawServer = await serve((call) => {
      const previous = call.headers['grpc-previous-rpc-attempts'];
      arrivals.push({ address: server.address, previous, at: performance.now() });
      handle(call, arrivals.length);
    });
    servers.push(server);
  }
  return { servers, arrivals };
}

async function ready(servers: readonly RawServer[], options: Partial<PoolOptions>): Promise<Pool> {
  const pool = await poolOf(servers, options);
  await expect.poll(() => pool.snapshot().ready, SOON).toBe(servers.length);
  return pool;
}

function unaryByClient(pool: Pool): Promise<string> {
  return new Promise((resolve) => {
    pool
      .client(EchoClient)
      .unary(request('a'), (error) => resolve(error === null ? '0 OK' : `${error.code} ${error.details}`));
  });
}

const WAYS = {
  stub: (pool: Pool) => call(pool, 'unary', 'a'),
  'generated client': unaryByClient,
} as const;

describe.each(Object.entries(WAYS))('a unary call by a %s', (_, make) => {
  it('is made so many times, elsewhere each time, and says how often it was', async () => {
    const { servers, arrivals } = await fleet(4, (raw) => failWith(UNAVAILABLE, 'not now')(raw));
    const pool = await ready(servers, { retry: { maxAttempts: 3, backoff: QUICK } });
    expect(await make(pool)).toBe('14 not now');
    expect(arrivals.map(({ previous }) => previous)).toEqual([undefined, '1', '2']);
    expect(new Set(arrivals.map(({ address }) => address)).size).toBe(3);
    expect(pool.snapshot().pending).toBe(0);
  });

  it('is not made again once response headers have come (gRFC A6)', async () => {
    const { servers, arrivals } = await fleet(2, (raw) => answer(raw, ({ socket }) => void socket.destroy()));
    expect(await make(await ready(servers, { methods: { [UNARY]: { idempotent: true } } }))).toMatch(/^14 /);
    expect(arrivals.length).toBe(1);
  });

  it.each([
    ['resets it with CANCEL', (raw: RawCall) => raw.stream.close(constants.NGHTTP2_CANCEL)],
    ['says CANCELLED', failWith(CANCELLED, 'shutting down')],
  ])('that may be made twice is made again when the server %s: that is not the caller', async (_how, end) => {
    const { servers, arrivals } = await fleet(2, (raw, n) => (n === 1 ? end(raw) : answerAtEnd(raw)));
    const methods = { [UNARY]: { idempotent: true, retry: { backoff: QUICK } } };
    expect(await make(await ready(servers, { methods }))).toBe('0 OK');
    expect(arrivals.length).toBe(2);
  });

  it('is answered by the next server', async () => {
    const { servers, arrivals } = await fleet(2, (raw, n) =>
      n === 1 ? failWith(UNAVAILABLE, 'not now')(raw) : answerAtEnd(raw),
    );
    expect(await make(await ready(servers, { retry: { backoff: QUICK } }))).toBe('0 OK');
    expect(arrivals.length).toBe(2);
  });

  it.each<[string, Partial<PoolOptions>]>([
    ['that nothing is declared of', {}],
    ['of another code', { retry: { codes: ['UNAVAILABLE'] } }],
    [
      'whose method is not to be retried',
      { retry: { codes: ['ABORTED'] }, methods: { [UNARY]: { retry: false } } },
    ],
    [
      'in a pool without a budget',
      { retry: { codes: ['ABORTED'] }, retryBudget: { ratio: 0, minPerSecond: 0 } },
    ],
  ])('%s is made once', async (_why, options) => {
    const { servers, arrivals } = await fleet(3, (raw) => failWith(ABORTED, 'no')(raw));
    expect(await make(await ready(servers, options))).toBe('10 no');
    expect(arrivals.length).toBe(1);
  });

  it('waits for as long as the server says, and not at all when it says never', async () => {
    const { servers, arrivals } = await fleet(2, (raw, n) =>
      failWith(UNAVAILABLE, 'later', { 'grpc-retry-pushback-ms': n === 1 ? '80' : '-1' })(raw),
    );
    expect(await make(await ready(servers, { retry: { maxAttempts: 5, backoff: QUICK } }))).toBe('14 later');
    expect(arrivals.length).toBe(2);
    expect(arrivals[1]!.at - arrivals[0]!.at).toBeGreaterThanOrEqual(79);
  });

  it('is made again when an attempt takes too long, of which the server hears', async () => {
    let cancelled = false;
    const { servers, arrivals } = await fleet(2, (raw, n) => {
      if (n > 1) answerAtEnd(raw);
      else
        raw.stream.on('close', () => {
          cancelled = true;
        });
    });
    const retry: RetryOptions = { perAttemptTimeoutMs: 60, backoff: QUICK };
    expect(await make(await ready(servers, { retry, timeoutMs: 20_000 }))).toBe('0 OK');
    expect(arrivals.length).toBe(2);
    await expect.poll(() => cancelled, SOON).toBe(true);
  });

  it('ends at its deadline, however many attempts are left', async () => {
    const { servers } = await fleet(2, () => {});
    const retry: RetryOptions = { maxAttempts: 100, perAttemptTimeoutMs: 50, backoff: QUICK };
    const pool = await ready(servers, { retry, timeoutMs: 200 });
    const beganAt = performance.now();
    expect(await make(pool)).toMatch(/^4 /);
    // grpc-js keeps deadlines in whole milliseconds of another clock.
    expect(performance.now() - beganAt).toBeGreaterThanOrEqual(195);
    expect(pool.snapshot().pending).toBe(0);
  });
});

describe('a call by a stub', () => {
  it('goes by its own options before those of its method', async () => {
    const { servers, arrivals } = await fleet(3, (raw) => failWith(UNAVAILABLE, 'no')(raw));
    const pool = await ready(servers, { retry: { maxAttempts: 3, backoff: QUICK } });
    const stub = pool.stub(EchoService);
    await expect(stub.unary(request('a'), { retry: false })).rejects.toMatchObject({ code: UNAVAILABLE });
    expect(arrivals.length).toBe(1);
    const retry = { maxAttempts: 2, backoff: QUICK };
    await expect(stub.unary(request('a'), { retry })).rejects.toMatchObject({ code: UNAVAILABLE });
    expect(arrivals.length).toBe(3);
  });

  it('is told the headers of the attempt that counts, once', async () => {
    const { servers, arrivals } = await fleet(2, (raw, n) =>
      n === 1 ? failWith(UNAVAILABLE, 'not now')(raw) : answerAtEnd(raw),
    );
    const pool = await ready(servers, { methods: { [UNARY]: { idempotent: true } } });
    const heard: unknown[] = [];
    const reply = await pool
      .stub(EchoService)
      .unary(request('a'), { metadata: named('a'), onMetadata: (headers) => heard.push(headers) });
    expect(reply.payload.toString()).toBe('a');
    expect([arrivals.length, heard.length]).toEqual([2, 1]);
  });

  it('publishes each of its attempts, and what follows it', async () => {
    const { servers } = await fleet(2, (raw, n) =>
      n === 1 ? failWith(UNAVAILABLE, 'no')(raw) : answerAtEnd(raw),
    );
    const heard: AttemptEndMessage[] = [];
    const hear = (message: unknown) => heard.push(message as AttemptEndMessage);
    subscribe('evenkeel:attempt:end', hear);
    onTestFinished(() => void unsubscribe('evenkeel:attempt:end', hear));
    await call(await ready(servers, { retry: { backoff: QUICK } }), 'unary', 'a');
    expect(heard).toMatchObject([
      { service: 'echo', path: UNARY, attempt: 1, hedge: false, code: UNAVAILABLE },
      { service: 'echo', path: UNARY, attempt: 2, hedge: false, code: 0 },
    ]);
    expect(heard.map((message) => message.then)).toEqual(['retry', 'end']);
    expect(new Set(heard.map(({ address }) => address))).toEqual(
      new Set(servers.map(({ address }) => address)),
    );
  });
});

describe('a stream', () => {
  it.each(['serverStream', 'clientStream', 'bidi'] as const)(
    'of kind %s is made again, with all that was sent, before its first message',
    async (kind) => {
      const sizes: number[] = [];
      const { servers } = await fleet(2, (raw, n) => {
        let bytes = 0;
        raw.stream.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        raw.stream.on('end', () => {
          sizes.push(bytes);
          if (n === 1) failWith(UNAVAILABLE, 'no')(raw);
          else answer(raw);
        });
      });
      const pool = await ready(servers, { retry: { backoff: QUICK } });
      const requests = [request('one'), request('two'), request('three')];
      expect(await call(pool, kind, 'a', requests)).toBe('0 OK');
      expect(sizes.length).toBe(2);
      expect(sizes[0]).toBe(sizes[1]);
    },
  );

  it('is not made again after its first message', async () => {
    const fail = ({ stream }: RawCall) => stream.sendTrailers({ 'grpc-status': '14', 'grpc-message': 'no' });
    const { servers, arrivals } = await fleet(2, (raw) => answer(raw, fail));
    const pool = await ready(servers, { retry: { backoff: QUICK } });
    const seen: unknown[] = [];
    const failure = await (async () => {
      for await (const reply of pool.stub(EchoService).serverStream(request('a'))) seen.push(reply);
    })().catch((error: ServiceError) => error);
    expect(failure).toMatchObject({ code: UNAVAILABLE, details: 'no' });
    expect([seen.length, arrivals.length]).toEqual([1, 1]);
  });
});

describe('an outage', () => {
  it('costs a fifth more attempts, however many each call may make', async () => {
    const { servers, arrivals } = await fleet(3, (raw) => failWith(UNAVAILABLE, 'no')(raw));
    const pool = await ready(servers, {
      retry: { maxAttempts: 5, backoff: { baseMs: 0, maxMs: 0 } },
      retryBudget: { ratio: 0.2, minPerSecond: 0 },
    });
    const ends = await Promise.all(Array.from({ length: 100 }, () => call(pool, 'unary', 'a')));
    expect(new Set(ends)).toEqual(new Set(['14 no']));
    expect(arrivals.length).toBe(120);
  });
});

describe('a method that its proto calls idempotent', () => {
  const { unary } = EchoService;
  const marked = { unary: { ...unary, options: { idempotencyLevel: 'IDEMPOTENT' } } };
  const makeAll = {
    stub: (pool: Pool, service: typeof marked | { unary: typeof unary }) =>
      pool.stub(service).unary(request('a')),
    'generated client': (pool: Pool, service: typeof marked | { unary: typeof unary }) =>
      new Promise((resolve, reject) => {
        const client = pool.client(makeClientConstructor(service, 'Echo'));
        client.unary!(request('a'), (error: ServiceError | null, reply: unknown) =>
          error === null ? resolve(reply) : reject(error),
        );
      }),
  };

  it.each(Object.entries(makeAll))('is retried without more, by a %s', async (_, make) => {
    const { servers, arrivals } = await fleet(2, (raw, n) =>
      n % 2 === 1 ? failWith(UNAVAILABLE, 'no')(raw) : answerAtEnd(raw),
    );
    const pool = await ready(servers, {});
    await make(pool, marked);
    expect(arrivals.length).toBe(2);
    await expect(make(pool, { unary })).rejects.toMatchObject({ code: UNAVAILABLE });
    expect(arrivals.length).toBe(3);
  });
});
