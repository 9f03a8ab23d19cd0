// What is this process's doing, or the method's nature, is held against no server.
import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { echoReply, greeting, PoolFixture } from '../../support/pool-fixture.js';

const ECHO = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 0 };
const ADDRESSES = ['h:1', 'h:2', 'h:3', 'h:4'];

const ejected = (f: PoolFixture) =>
  f.pool
    .snapshot()
    .subchannels.filter((row) => row.ejected)
    .map((row) => row.endpoint.address);

/** A fleet that is known to answer greetings in 10 ms, and echoes in three seconds. */
async function fleet(): Promise<PoolFixture> {
  const f = await new PoolFixture({ outlierDetection: {}, picker: 'least-pending' }).serving(...ADDRESSES);
  const slow = Array.from({ length: 40 }, () => f.echo.unary(ECHO));
  const open = f.transport.open.slice();
  await f.clock.advance(3_000);
  for (const call of open) call.answer(echoReply());
  await Promise.all(slow);
  await greet(f, 100);
  return f;
}

async function greet(f: PoolFixture, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const greeted = f.hello('a');
    const { call } = f.transport;
    await f.clock.advance(10);
    call.answer(greeting(''));
    await greeted;
  }
}

describe('a method that is slow by nature', () => {
  it('has no server taken for hung, beside fast ones', async () => {
    const f = await fleet();
    const slow = Array.from({ length: 4 }, () => f.echo.unary(ECHO));
    const open = f.transport.open.slice();
    expect(new Set(open.map(({ address }) => address)).size).toBe(4);
    for (const call of open.slice(2)) call.answer(echoReply());
    await greet(f, 300);
    expect(ejected(f)).toEqual([]);
    for (const call of open.slice(0, 2)) call.answer(echoReply());
    await Promise.all(slow);
  });

  it('does not hide a call of a fast one that hangs after it', async () => {
    const f = await fleet();
    const calls = [...ADDRESSES, ...ADDRESSES].map((_, i) => (i < 4 ? f.echo.unary(ECHO) : f.hello('a')));
    for (const call of calls) (call as Promise<unknown>).catch(() => {});
    const { address } = f.transport.call;
    for (const call of f.transport.open) if (call.address !== address) call.end();
    expect(f.transport.open.length).toBe(2);
    await greet(f, 40);
    expect(ejected(f)).toEqual([address]);
  });
});

describe('a process that stood still', () => {
  it('holds the deadlines that passed meanwhile against no server', async () => {
    const f = await fleet();
    for (let i = 0; i < 24; i++) void f.hello('a', { timeoutMs: 300 });
    for (const call of f.transport.open) if (call.address !== 'h:1') call.answer(greeting(''));
    const open = f.transport.open.slice();
    expect(open.length).toBe(6);
    f.clock.jump(5_000);
    for (const call of open) call.end(Status.DEADLINE_EXCEEDED, 'Deadline exceeded');
    await f.clock.advance(1_000);
    expect(ejected(f)).toEqual([]);
  });

  it('nor the age of calls that went on meanwhile', async () => {
    const f = await fleet();
    const calls = Array.from({ length: 4 }, () => f.hello('a'));
    const open = f.transport.open.slice();
    f.clock.jump(5_000);
    for (const call of open.slice(1)) call.answer(greeting(''));
    await f.clock.advance(200);
    expect(ejected(f)).toEqual([]);
    open[0]!.answer(greeting(''));
    await Promise.all(calls);
  });

  it('does not take the latencies of then for those of the servers: one that hangs afterwards is found as ever', async () => {
    const f = await fleet();
    for (let i = 0; i < 12; i++) void f.hello('a');
    f.clock.jump(5_000);
    for (const call of f.transport.open) call.answer(greeting(''));
    await greet(f, 20);
    void f.hello('hangs');
    const { address } = f.transport.call;
    await greet(f, 40);
    expect(ejected(f)).toEqual([address]);
  });
});
