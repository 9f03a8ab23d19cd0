// Servers that fail or hang, taken out and let back, on real servers. What decides is tested without them.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { credentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { PoolEventMessage } from '../../../src/balancer/pool/diagnostics.js';
import type { PoolEvent } from '../../../src/balancer/pool/events.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { ServerProcess } from '../../support/server-process.js';
import { request } from './drive.js';
import { answerAtEnd, failWith, type RawCall, type RawServer } from './raw-server.js';
import { call, poolOf, SOON, serve } from './repick.js';

const INTERNAL = 13;

/** Servers of which the first treats its calls as it is told to. */
async function fleet(size: number) {
  let treat: (call: RawCall) => void = answerAtEnd;
  const first = await serve((raw) => treat(raw));
  const others = await Promise.all(Array.from({ length: size - 1 }, () => serve(answerAtEnd)));
  return {
    first,
    servers: [first, ...others],
    treatBy: (other: (call: RawCall) => void) => {
      treat = other;
    },
  };
}

async function ready(
  servers: readonly { readonly address: string }[],
  outlierDetection: PoolOptions['outlierDetection'] = {},
): Promise<Pool> {
  const pool = await poolOf(servers, { outlierDetection });
  await expect.poll(() => pool.snapshot().ready, SOON).toBe(servers.length);
  return pool;
}

const ejected = (pool: Pool) =>
  pool
    .snapshot()
    .subchannels.filter((row) => row.ejected)
    .map(({ endpoint }) => endpoint.address);

async function callEach(pool: Pool, count: number): Promise<string[]> {
  const ends: string[] = [];
  for (let n = 0; n < count; n++) ends.push(await call(pool, 'unary', 'a'));
  return ends;
}

const failures = (ends: readonly string[]) => ends.filter((end) => end !== '0 OK').length;

/** Ejections and returns, as they are published. */
function published(): PoolEvent[] {
  const heard: PoolEvent[] = [];
  const hear = (message: unknown) => {
    const { event } = message as PoolEventMessage;
    if (event.kind === 'ejected' || event.kind === 'returned') heard.push(event);
  };
  subscribe('evenkeel:pool', hear);
  onTestFinished(() => void unsubscribe('evenkeel:pool', hear));
  return heard;
}

const FAILURES: [string, (call: RawCall) => void][] = [
  ['answers INTERNAL', failWith(INTERNAL, 'not well')],
  ['answers UNAVAILABLE', failWith(14, 'not well')],
  ['ends its streams in the middle', ({ stream }) => stream.close(2)],
];

describe.each(FAILURES)('a server that %s', (_, failing) => {
  it('is out after five calls', async () => {
    const { first, servers, treatBy } = await fleet(4);
    const pool = await ready(servers);
    treatBy(failing);
    expect(failures(await callEach(pool, 60))).toBe(5);
    expect(ejected(pool)).toEqual([first.address]);
  });
});

it.each([
  ['NOT_FOUND', 5],
  ['RESOURCE_EXHAUSTED', 8],
  ['ABORTED', 10],
  ['UNIMPLEMENTED', 12],
  ['UNAVAILABLE', 14],
  ['UNAUTHENTICATED', 16],
  ['17, which is no code', 17],
])('%s from one server of three puts it out; from all of them, nobody', async (_, code) => {
  const { first, servers, treatBy } = await fleet(3);
  const pool = await ready(servers);
  treatBy(failWith(code, 'me alone'));
  expect(failures(await callEach(pool, 60))).toBe(5);
  expect(ejected(pool)).toEqual([first.address]);
  const alike = await Promise.all(servers.map(() => serve(failWith(code, 'your fault'))));
  const other = await ready(alike);
  expect(failures(await callEach(other, 60))).toBe(60);
  expect(ejected(other)).toEqual([]);
});

it('a server whose callers give it no time stays in', async () => {
  const { servers, treatBy } = await fleet(3);
  const pool = await ready(servers);
  await callEach(pool, 60);
  treatBy(() => {});
  const stub = pool.stub(EchoService);
  for (let n = 0; n < 30; n++) await stub.unary(request('a'), { timeoutMs: 0 }).catch(() => {});
  expect(ejected(pool)).toEqual([]);
});

describe('a server whose time is over', () => {
  async function outFor(baseEjectionMs: number) {
    const { first, servers, treatBy } = await fleet(3);
    const heard = published();
    const pool = await ready(servers, { baseEjectionMs });
    treatBy(failWith(INTERNAL, 'not well'));
    await callEach(pool, 15);
    expect(ejected(pool)).toEqual([first.address]);
    return { first, treatBy, pool, heard, probed: () => first.arrivals.length - 5 };
  }

  /** Calls until something has come of it. */
  async function callUntil(pool: Pool, done: () => boolean): Promise<string[]> {
    const ends: string[] = [];
    const until = performance.now() + SOON.timeout;
    while (!done() && performance.now() < until) {
      ends.push(...(await callEach(pool, 1)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return ends;
  }

  it('gets one call that shows that it is well, and is back', async () => {
    const { first, treatBy, pool, heard, probed } = await outFor(150);
    let answerProbe = () => {};
    treatBy((raw) => {
      answerProbe = () => answerAtEnd(raw);
    });
    const made: Promise<string>[] = [];
    while (probed() === 0) {
      made.push(call(pool, 'unary', 'a'));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // While the probe is not answered, no other goes there.
    await Promise.all(Array.from({ length: 10 }, () => call(pool, 'unary', 'a')));
    expect([probed(), ejected(pool)]).toEqual([1, [first.address]]);
    treatBy(answerAtEnd);
    answerProbe();
    expect(failures(await Promise.all(made))).toBe(0);
    expect(ejected(pool)).toEqual([]);
    const { address } = first;
    expect(heard).toMatchObject([
      { kind: 'ejected', address, reason: 'consecutive-failures', forMs: 150 },
      { kind: 'returned', address },
    ]);
  });

  it('is out for twice as long when that call fails', async () => {
    const { first, pool, heard, probed } = await outFor(100);
    expect(failures(await callUntil(pool, () => heard.length === 2))).toBe(1);
    expect([probed(), ejected(pool)]).toEqual([1, [first.address]]);
    expect(heard[1]).toMatchObject({ kind: 'ejected', reason: 'probe-failed', forMs: 200 });
  });
});

describe('a server that hangs', () => {
  async function hangingFleet(): Promise<ServerProcess[]> {
    const start = () => ServerProcess.start({ service: 'echo', announceTo: { kind: 'nowhere' } });
    const servers = await Promise.all([start(), start(), start()]);
    onTestFinished(async () => {
      await Promise.all(servers.map((server) => server.kill()));
    });
    return servers;
  }

  it('is out long before the deadline of its calls, while the others answer', async () => {
    const servers = await hangingFleet();
    const [hung] = servers;
    const pool = await ready(servers);
    const stub = pool.stub(EchoService);
    await callEach(pool, 60);
    hung!.signal('SIGSTOP');
    const lost: Promise<unknown>[] = [];
    const heard = published();
    const beganAt = performance.now();
    while (heard.length === 0 && performance.now() - beganAt < 20_000) {
      lost.push(stub.unary(request('a'), { timeoutMs: 30_000 }).catch(() => {}));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(heard).toMatchObject([{ kind: 'ejected', address: hung!.address, reason: 'hung' }]);
    const replies = await Promise.all(Array.from({ length: 20 }, () => stub.unary(request('a'))));
    const addresses = new Set(replies.map(({ server }) => server));
    expect(addresses.has(hung!.address)).toBe(false);
    // It was not dead: what it had is answered, and that is proof enough.
    hung!.signal('SIGCONT');
    await expect.poll(() => heard.map(({ kind }) => kind), SOON).toEqual(['ejected', 'returned']);
    await Promise.all(lost);
    expect(pool.snapshot().pending).toBe(0);
  });

  it('is out after five deadlines of calls of which nobody knows that they want one answer', async () => {
    const servers = await hangingFleet();
    const [hung] = servers;
    const pool = await ready(servers);
    const client = new EchoClient('', credentials.createInsecure(), { channelOverride: pool.channel });
    const unary = (timeoutMs: number) =>
      new Promise<number>((resolve) => {
        const deadline = Date.now() + timeoutMs;
        client.unary(request('a'), new Metadata(), { deadline }, (error) => resolve(error?.code ?? 0));
      });
    for (let n = 0; n < 60; n++) await unary(20_000);
    hung!.signal('SIGSTOP');
    const codes = await Promise.all(Array.from({ length: 15 }, () => unary(1_000)));
    expect(codes.filter((code) => code === 4).length).toBe(5);
    expect(ejected(pool)).toEqual([hung!.address]);
  });
});

describe('a fleet in which half are unwell', () => {
  it('has these out, and no more', async () => {
    let later = answerAtEnd;
    const servers: RawServer[] = [];
    for (let n = 0; n < 2; n++) servers.push(await serve(failWith(INTERNAL, 'not well')));
    for (let n = 0; n < 2; n++) servers.push(await serve((raw) => later(raw)));
    const pool = await ready(servers);
    await callEach(pool, 120);
    const unwell = servers.slice(0, 2).map(({ address }) => address);
    expect(new Set(ejected(pool))).toEqual(new Set(unwell));
    // Now the others are unwell as well: they must do.
    later = failWith(INTERNAL, 'not well');
    await callEach(pool, 80);
    expect(ejected(pool).length).toBe(2);
    expect(pool.snapshot().ready).toBe(2);
  });
});
