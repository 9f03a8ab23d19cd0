import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const CUT = 'h:1 is not announced any more, and was given 30000 ms to finish';

describe('draining', () => {
  it('lets the calls of a removed endpoint finish, and gives it no more', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    await f.remove('h:1');
    expect(f.rows).toEqual(['h:2 ready 0', 'h:1 draining 1']);
    for (const name of ['b', 'c']) void f.hello(name);
    expect(f.sent).toEqual(['a@h:1', 'b@h:2', 'c@h:2']);
    const connection = f.transport.to('h:1');
    expect(connection.closed).toBe(false);
    f.transport.calls[0]!.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(connection.closed).toBe(true);
    for (const wire of f.transport.open) wire.answer(greeting(''));
  });

  it('cuts what has not finished in time, as UNAVAILABLE, and does not send it elsewhere', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    await f.remove('h:1');
    await f.clock.advance(29_999);
    expect(f.transport.call.cancelled).toBeUndefined();
    await f.clock.advance(1);
    expect(f.transport.call.cancelled).toEqual({ code: Status.UNAVAILABLE, details: CUT });
    expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE, details: CUT, address: 'h:1' });
    expect(f.transport.calls.length).toBe(1);
    expect(f.transport.to('h:1').closed).toBe(true);
    expect(f.rows).toEqual(['h:2 ready 0']);
  });

  it('sends what it cuts before it had a stream to another', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.transport.opensStreams = false;
    const call = f.hello('a');
    await f.remove('h:1');
    f.transport.opensStreams = true;
    await f.clock.advance(30_000);
    expect(f.sent).toEqual(['a@h:1', 'a@h:2']);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('cuts calls on connections that were given up before the endpoint was removed, too', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    // Told to go away: the streams go on, but the next connection cannot be made, and the first is given up.
    const first = f.transport.to('h:1').lost().failed();
    expect([first.retired, first.closed]).toEqual([true, false]);
    await f.clock.advance(300);
    const second = f.transport.to('h:1');
    expect(second).not.toBe(first);
    second.ready();
    const later = [f.hello('b'), f.hello('c')];
    expect(second.calls.length).toBe(1);
    await f.remove('h:1');
    await f.clock.advance(30_000);
    const cut = await Promise.all([call, ...later].map(outcome));
    expect(cut.filter((end) => end !== 'pending')).toMatchObject([{ details: CUT }, { details: CUT }]);
    expect([first.closed, second.closed]).toEqual([true, true]);
    for (const wire of f.transport.open) wire.answer(greeting(''));
  });

  it('holds on to a connection that was given up only while it has calls', async () => {
    const f = await new PoolFixture().serving('h:1');
    for (let i = 0; i < 5; i++) {
      void f.hello('a');
      const wire = f.transport.call;
      const connection = f.transport.to('h:1').lost().failed();
      expect(connection.closed).toBe(false);
      wire.answer(greeting(''));
      expect(connection.closed).toBe(true);
      await f.clock.advance(2_000);
      f.transport.to('h:1').ready();
      await f.clock.advance(1_000);
    }
  });

  it('has the time that it is told', async () => {
    const f = await new PoolFixture({ drainTimeoutMs: 0 }).serving('h:1');
    const call = f.hello('a');
    await f.remove('h:1');
    await f.clock.advance(0);
    expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE });
  });
});

describe('close', () => {
  it('refuses those who wait and those who come, lets calls in flight finish, and then resolves', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const flies = f.hello('a');
    const [waits, pick] = [f.hello('b', { timeoutMs: 60_000 }), f.pool.pick({ timeoutMs: 60_000 })];
    await settle();
    const closing = f.pool.close();
    for (const refused of [waits, f.hello('c')]) {
      expect(await outcome(refused)).toMatchObject({
        code: Status.UNAVAILABLE,
        details: 'the pool of greeter is closed',
        cause: { code: 'CLOSED' },
      });
    }
    for (const refused of [pick, f.pool.pick(), f.pool.ready()]) {
      expect(await outcome(refused)).toMatchObject({ code: 'CLOSED' });
    }
    expect(() => f.pool.tryPick()).toThrow('closed');
    expect(await outcome(closing)).toBe('pending');
    expect(f.pool.snapshot()).toMatchObject({ closed: true, pending: 1, waiting: 0 });
    f.transport.call.answer(greeting('hi'));
    expect(await flies).toBe('hi');
    expect(await outcome(closing)).toBeUndefined();
    expect(f.clock.pending).toBe(0);
  });

  it('cuts what goes on for longer than the drain timeout', async () => {
    const f = await new PoolFixture({ drainTimeoutMs: 5_000 }).serving('h:1', 'h:2');
    const calls = [f.hello('a'), f.hello('b'), f.hello('c')];
    const closing = f.pool.close();
    f.transport.call.answer(greeting('hi'));
    expect(await calls.pop()).toBe('hi');
    await f.clock.advance(4_999);
    expect(await outcome(closing)).toBe('pending');
    await f.clock.advance(1);
    for (const call of calls) expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE });
    expect(await outcome(closing)).toBeUndefined();
  });

  it('sends nothing elsewhere that was not sent', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const call = f.hello('a');
    void f.pool.close();
    f.transport.call.refuse();
    expect(await outcome(call)).toMatchObject({ cause: { code: 'CLOSED' } });
    expect(f.transport.calls.length).toBe(1);
  });

  it('refuses calls that wait to be tried again, at once', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a');
    f.transport.call.refuse();
    await settle();
    expect(f.pool.snapshot()).toMatchObject({ waiting: 0, pending: 0 });
    expect(await outcome(f.pool.close())).toBeUndefined();
    expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE, cause: { code: 'CLOSED' } });
    expect(f.clock.pending).toBe(0);
  });

  it('gives up connecting, and what waits to connect', async () => {
    const f = await new PoolFixture().snapshot(...Array.from({ length: 70 }, (_, i) => `h:${i + 1}`));
    f.transport.to('h:1').failed();
    f.transport.to('h:2').ready();
    f.transport.to('h:2').lost();
    const made = f.transport.connections.length;
    expect(await outcome(f.pool.close())).toBeUndefined();
    expect(f.transport.connections.length).toBe(made);
    expect(f.transport.connections.every(({ closed }) => closed)).toBe(true);
    expect(f.clock.pending).toBe(0);
  });

  it('may be called again, meanwhile and after', async () => {
    const f = await new PoolFixture().serving('h:1');
    const call = f.hello('a');
    const both = [f.pool.close(), f.pool.close()];
    expect(await Promise.all(both.map(outcome))).toEqual(['pending', 'pending']);
    f.transport.call.answer(greeting(''));
    await call;
    await Promise.all(both);
    await f.pool.close();
  });

  it('before anything was announced', async () => {
    const f = new PoolFixture();
    const call = f.hello('a');
    await f.pool.close();
    expect(await outcome(call)).toMatchObject({ cause: { code: 'CLOSED' } });
  });

  it('is what `await using` does', async () => {
    const f = await new PoolFixture().serving('h:1');
    {
      await using pool = f.pool;
      expect(pool.snapshot().closed).toBe(false);
    }
    expect(f.pool.snapshot().closed).toBe(true);
  });

  it('hears nothing more, of the registry, connections or timers', async () => {
    const f = await new PoolFixture().serving('h:1');
    const events = f.events();
    const [watch, connection] = [f.registry.current, f.transport.to('h:1')];
    await f.pool.close();
    await settle();
    const heard = events.length;
    expect(events.at(-1)).toMatchObject({ kind: 'closed' });
    watch.tell({ kind: 'snapshot', endpoints: [] });
    connection.lost();
    await f.clock.advance(100_000);
    expect(events.length).toBe(heard);
    expect(f.transport.connections.length).toBe(1);
  });

  it('takes in nothing that the registry was just telling', async () => {
    for (let turns = 0; turns < 8; turns++) {
      const f = await new PoolFixture().serving('h:1');
      f.registry.current.tell({ kind: 'snapshot', endpoints: [endpoint('b', 'h:2')] });
      for (let i = 0; i < turns; i++) await Promise.resolve();
      const known = f.transport.connections.length;
      await f.pool.close();
      await settle();
      expect(f.transport.connections.length).toBe(known);
      expect(f.rows).toEqual([]);
    }
  });

  it('keeps no connection for the mass-removal guard', async () => {
    const f = await new PoolFixture({ massRemovalGuard: {} }).serving('h:1', 'h:2', 'h:3');
    const call = f.hello('a');
    await f.remove('h:1', 'h:2');
    const closing = f.pool.close();
    f.transport.call.answer(greeting(''));
    await call;
    expect(await outcome(closing)).toBeUndefined();
    expect(f.clock.pending).toBe(0);
    expect(f.transport.connections.every(({ closed }) => closed)).toBe(true);
  });
});

it('may be told by whoever hears of a change in the midst of it: nothing is connected any more', async () => {
  const f = new PoolFixture();
  const close = (message: unknown) => {
    const { event } = message as { event: { kind: string; state?: { kind: string } } };
    if (event.kind === 'subchannel' && event.state?.kind === 'connecting') void f.pool.close();
  };
  subscribe('evenkeel:pool', close);
  onTestFinished(() => void unsubscribe('evenkeel:pool', close));
  await f.snapshot('h:1', 'h:2');
  expect(f.transport.connections).toEqual([]);
  expect(f.clock.pending).toBe(0);
});

it('with retry: false, retries nothing, as for a method', async () => {
  const f = await new PoolFixture({ retry: false as never }).serving('h:1');
  const failed = f.hello('a');
  f.transport.call.end(Status.UNAVAILABLE, 'no');
  await expect(failed).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  expect(f.rows).toEqual(['h:1 ready 0']);
});
