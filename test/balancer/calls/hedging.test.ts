// Hedged calls, as servers see them and callers are told of them.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants } from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { AttemptMessage } from '../../../src/balancer/calls/diagnostics.js';
import type { HedgeOptions } from '../../../src/balancer/core/retry-options.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { request } from './drive.js';
import { answerAtEnd, failWith, type RawCall } from './raw-server.js';
import { poolOf, SOON, serve } from './repick.js';

/** Two servers that treat the nth call that either gets alike, and the codes with which calls were reset. */
async function pair(handle: (call: RawCall, number: number) => void) {
  const arrivals: { address: string; previous: unknown }[] = [];
  const resets: (number | undefined)[] = [];
  const start = async () => {
    const server = await serve((call) => {
      const previous = call.headers['grpc-previous-rpc-attempts'];
      arrivals.push({ address: server.address, previous });
      const number = arrivals.length;
      call.stream.on('close', () => {
        resets[number - 1] = call.stream.rstCode;
      });
      handle(call, number);
    });
    return server;
  };
  return { servers: [await start(), await start()], arrivals, resets };
}

async function hedgingPool(
  servers: readonly { address: string }[],
  hedge: HedgeOptions,
  options: Partial<PoolOptions> = {},
): Promise<Pool> {
  const methods = { '/evenkeel.echo.v1.Echo/Unary': { idempotent: true, hedge } };
  const pool = await poolOf(servers, { methods, ...options });
  await expect.poll(() => pool.snapshot().ready, SOON).toBe(servers.length);
  return pool;
}

const answerAfter = (call: RawCall, ms: number) => setTimeout(() => answerAtEnd(call), ms);

const WAYS = {
  stub: async (pool: Pool) => (await pool.stub(EchoService).unary(request('a'))).seen,
  'generated client': (pool: Pool) =>
    new Promise<number>((resolve, reject) => {
      pool
        .client(EchoClient)
        .unary(request('a'), (error, reply) => (error === null ? resolve(reply.seen) : reject(error)));
    }),
} as const;

describe.each(Object.entries(WAYS))('a hedged call by a %s', (_, make) => {
  it('is answered by the second server while the first hangs, which hears that it is cancelled', async () => {
    const { servers, arrivals, resets } = await pair((call, n) => n > 1 && answerAtEnd(call));
    const pool = await hedgingPool(servers, { delayMs: 30 });
    expect(await make(pool)).toBe(1);
    expect(arrivals.map(({ previous }) => previous)).toEqual([undefined, '1']);
    expect(arrivals[0]!.address).not.toBe(arrivals[1]!.address);
    await expect.poll(() => resets[0], SOON).toBe(constants.NGHTTP2_CANCEL);
    await expect.poll(() => pool.snapshot().pending, SOON).toBe(0);
  });

  it('is answered by the first server when that is quicker after all', async () => {
    const { servers, arrivals, resets } = await pair((call, n) => n === 1 && answerAfter(call, 100));
    const pool = await hedgingPool(servers, { delayMs: 30 });
    expect(await make(pool)).toBe(1);
    expect(arrivals.length).toBe(2);
    await expect.poll(() => resets, SOON).toEqual([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]);
    await expect.poll(() => pool.snapshot().pending, SOON).toBe(0);
  });

  it('is answered by the one server that does not fail', async () => {
    const { servers } = await pair((call, n) =>
      n === 1 ? answerAfter(call, 100) : failWith(13, 'not well')(call),
    );
    expect(await make(await hedgingPool(servers, { delayMs: 30 }))).toBe(1);
  });

  it('is made once when its answer comes in time, and where there is no budget', async () => {
    const { servers, arrivals } = await pair((call, n) =>
      n === 1 ? answerAtEnd(call) : answerAfter(call, 60),
    );
    expect(await make(await hedgingPool(servers, { delayMs: 10_000 }))).toBe(1);
    expect(arrivals.length).toBe(1);
    const poor = await hedgingPool(servers, { delayMs: 20 }, { retryBudget: { ratio: 0, minPerSecond: 0 } });
    expect(await make(poor)).toBe(1);
    expect(arrivals.length).toBe(2);
  });

  it("is made again when it takes longer than the pool's 95th percentile", async () => {
    const calm = 60;
    const { servers, arrivals } = await pair((call, n) => n !== calm + 1 && answerAtEnd(call));
    // A budget for one in more calls than these: what the machine delays of them is not to be hedged.
    const pool = await hedgingPool(
      servers,
      {},
      { retryBudget: { ratio: 1 / (calm + 0.5), minPerSecond: 0 } },
    );
    for (let n = 0; n < calm; n++) await make(pool);
    const before = arrivals.length;
    expect(await make(pool)).toBe(1);
    expect([before, arrivals.length]).toEqual([calm, calm + 2]);
  });
});

it('tells who listens which attempt is the hedge', async () => {
  const { servers } = await pair((call, n) => n > 1 && answerAtEnd(call));
  const heard: AttemptMessage[] = [];
  const hear = (message: unknown) => heard.push(message as AttemptMessage);
  subscribe('evenkeel:attempt:start', hear);
  onTestFinished(() => void unsubscribe('evenkeel:attempt:start', hear));
  await WAYS.stub(await hedgingPool(servers, { delayMs: 30 }));
  expect(heard.map(({ hedge }) => hedge)).toEqual([false, true]);
});

it('lets the streams of a generated client be, though hedging is declared of the whole service', async () => {
  const { servers, arrivals } = await pair((call) => answerAfter(call, 60));
  const methods = { '/evenkeel.echo.v1.Echo/*': { idempotent: true, hedge: { delayMs: 20 } } };
  const pool = await poolOf(servers, { methods });
  const replies: unknown[] = [];
  const stream = pool.client(EchoClient).bidi();
  stream.on('data', (reply) => replies.push(reply));
  for (const text of ['a', 'b']) stream.write(request(text));
  stream.end();
  await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
  expect([replies.length, arrivals.length]).toEqual([1, 1]);
});
