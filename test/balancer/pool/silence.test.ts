import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

/** Calls run out of time on the one connection, for a second. */
async function silent(): Promise<PoolFixture> {
  const f = await new PoolFixture().serving('h:1');
  void f.hello('a', { timeoutMs: 5_000 });
  const { call } = f.transport;
  await f.clock.advance(1_000);
  call.end(Status.DEADLINE_EXCEEDED, 'Deadline exceeded');
  return f;
}

describe('a connection on which calls run out of time, and nothing is answered', () => {
  it('is replaced by another as soon as that is READY; until then it is used', async () => {
    const f = await silent();
    const [old, renewed] = f.transport.connections;
    expect(f.transport.connections.length).toBe(2);
    expect(renewed?.connects).toBe(1);
    const early = f.hello('early');
    expect(f.transport.call.connection).toBe(old);
    renewed?.ready();
    expect(f.rows).toEqual(['h:1 ready 1']);
    const late = f.hello('late');
    expect(f.transport.call.connection).toBe(renewed);
    f.transport.call.answer(greeting('late'));
    expect(await outcome(late)).toBe('late');
    expect(old?.closed).toBe(false);
    old?.calls.at(-1)?.answer(greeting('early'));
    expect(await outcome(early)).toBe('early');
    expect(old?.closed).toBe(true);
  });

  it('is given up when another cannot be made, and is made again after a back-off', async () => {
    const f = await silent();
    f.transport.to('h:1').failed();
    expect(f.rows).toEqual(['h:1 failed 0']);
    expect(f.transport.connections.every(({ closed }) => closed)).toBe(true);
    await f.clock.advance(300);
    f.transport.to('h:1').ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
    expect(f.transport.connections.length).toBe(3);
  });

  it('is given up when another is not READY in five seconds', async () => {
    const f = await silent();
    await f.clock.advance(4_999);
    expect(f.rows).toEqual(['h:1 ready 0']);
    await f.clock.advance(1);
    expect(f.rows).toEqual(['h:1 failed 0']);
    const [row] = f.pool.snapshot().subchannels;
    expect(row?.state).toMatchObject({
      cause: { message: 'h:1 answered nothing, and another connection was not READY within 5000 ms' },
    });
  });

  it('is given up when the other cannot even be begun', async () => {
    const f = await new PoolFixture().serving('h:1');
    void f.hello('a', { timeoutMs: 5_000 });
    const { call } = f.transport;
    await f.clock.advance(1_000);
    f.transport.refuses = new Error('no such certificate');
    call.end(Status.DEADLINE_EXCEEDED, 'Deadline exceeded');
    await settle();
    expect(f.pool.snapshot().subchannels[0]?.state).toMatchObject({
      kind: 'failed',
      cause: { message: 'no such certificate' },
    });
    f.transport.refuses = undefined;
  });

  it('may be lost while the other connects, which then takes its place', async () => {
    const f = await silent();
    const [old, renewed] = f.transport.connections;
    old?.lost();
    expect(f.rows).toEqual(['h:1 connecting 0']);
    renewed?.ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
    expect(old?.closed).toBe(true);
  });

  it('lets go of the other with the row', async () => {
    const f = await silent();
    const [, renewed] = f.transport.connections;
    await f.remove('h:1');
    expect(f.transport.connections.every(({ closed }) => closed)).toBe(true);
    renewed?.ready();
    expect(f.rows).toEqual([]);
  });
});

describe('a connection that is to take the place of a silent one', () => {
  it('is let go of when the endpoint drains meanwhile, and its health is never asked', async () => {
    const f = await new PoolFixture({ healthCheck: true, massRemovalGuard: {} }).snapshot(
      'h:1',
      'h:2',
      'h:3',
    );
    for (const address of ['h:1', 'h:2', 'h:3']) f.transport.to(address).ready();
    await f.clock.advance(1_000);
    for (const call of f.transport.open) call.end(Status.UNIMPLEMENTED, 'no health here');
    await settle();
    const calls = Array.from({ length: 6 }, () => f.hello('a', { timeoutMs: 60_000 }));
    const { address } = f.transport.call;
    const late = f.transport.open.find((call) => call.address === address);
    await f.clock.advance(1_000);
    late?.end(Status.DEADLINE_EXCEEDED, 'Deadline exceeded');
    const renewed = f.transport.to(address);
    expect(renewed.connects).toBe(1);
    expect(renewed.isReady).toBe(false);
    await f.remove(address);
    renewed.ready();
    expect(renewed.closed).toBe(true);
    expect(renewed.calls).toEqual([]);
    for (const call of f.transport.open) call.answer(greeting(''));
    await Promise.allSettled(calls);
  });
});
