import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

/** Two connections to `h:1`, both READY. */
async function pair() {
  const f = await new PoolFixture({ connectionsPerAddress: 2 }).snapshot('h:1');
  const first = f.transport.to('h:1').ready();
  const second = f.transport.to('h:1').ready();
  await f.clock.advance(1_000);
  return { f, first, second };
}

describe('several connections to an address', () => {
  it('are one to the table, whose first has the others made, and waits for them', async () => {
    const f = await new PoolFixture({ connectionsPerAddress: 3 }).snapshot('h:1');
    expect(f.transport.connections.length).toBe(1);
    const isReady = f.pool.ready();
    f.transport.to('h:1').ready();
    expect(f.transport.connections.map(({ connects }) => connects)).toEqual([1, 1, 1]);
    expect(f.rows).toEqual(['h:1 connecting 0']);
    const [, second, third] = f.transport.connections;
    third!.ready();
    expect(f.rows).toEqual(['h:1 connecting 0']);
    second!.ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
    // A burst at the moment at which the pool is ready finds all of them.
    await isReady;
    for (let n = 0; n < 6; n++) void f.hello('a');
    expect(f.transport.connections.map(({ held }) => held)).toEqual([2, 2, 2]);
    for (const wire of f.transport.open) wire.answer(greeting(''));
  });

  it('let calls in without one that failed, or that takes long', async () => {
    for (const settleOthers of [
      (f: PoolFixture) => f.transport.to('h:1').failed(),
      (f: PoolFixture) => f.clock.advance(500),
    ]) {
      const f = await new PoolFixture({ connectionsPerAddress: 2 }).snapshot('h:1');
      f.transport.to('h:1').ready();
      expect(f.rows).toEqual(['h:1 connecting 0']);
      await settleOthers(f);
      expect(f.rows).toEqual(['h:1 ready 0']);
      await f.end();
    }
  });

  it('have failed when the first is lost while it waits for the others', async () => {
    const f = await new PoolFixture({ connectionsPerAddress: 2 }).snapshot('h:1');
    f.transport.to('h:1').ready().lost();
    expect(f.rows).toEqual(['h:1 failed 0']);
    expect(f.transport.connections.every(({ closed }) => closed)).toBe(true);
  });

  it('get calls where the fewest are, of those that are READY', async () => {
    const f = await new PoolFixture({ connectionsPerAddress: 2 }).snapshot('h:1');
    const first = f.transport.to('h:1').ready();
    const second = f.transport.to('h:1');
    await f.clock.advance(500);
    for (const name of ['a', 'b']) void f.hello(name);
    expect([first.held, second.held]).toEqual([2, 0]);
    second.ready();
    for (const name of ['c', 'd', 'e', 'f']) void f.hello(name);
    expect([first.held, second.held]).toEqual([3, 3]);
    expect(f.rows).toEqual(['h:1 ready 6']);
    for (const wire of f.transport.open) wire.answer(greeting(''));
    expect([first.held, second.held]).toEqual([0, 0]);
  });

  it('are woken one by one without the table, and given up with it', async () => {
    const { f, first, second } = await pair();
    second.lost();
    expect(second.connects).toBe(2);
    expect(f.rows).toEqual(['h:1 ready 0']);
    first.lost();
    expect(f.rows).toEqual(['h:1 connecting 0']);
    second.failed();
    expect(f.rows).toEqual(['h:1 failed 0']);
    expect([first.closed, second.closed]).toEqual([true, true]);
  });

  it('are made anew, after a while, when one cannot be connected', async () => {
    const { f, first, second } = await pair();
    second.lost().failed();
    expect(second.closed).toBe(true);
    void f.hello('a');
    expect(first.held).toBe(1);
    await f.clock.advance(250);
    const third = f.transport.to('h:1').ready();
    expect(third).not.toBe(second);
    void f.hello('b');
    expect(third.held).toBe(1);
    for (const wire of f.transport.open) wire.answer(greeting(''));
  });

  it('do not spin when one is lost as soon as it is made', async () => {
    const { f, second } = await pair();
    second.lost();
    for (let i = 0; i < 50; i++) f.transport.to('h:1').ready().lost();
    expect(f.transport.connections.reduce((sum, { connects }) => sum + connects, 0)).toBeLessThan(6);
    await f.clock.advance(250);
    f.transport.to('h:1').ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('are cut with their calls at the end of a drain, given up or not', async () => {
    const { f, second } = await pair();
    const calls = ['a', 'b'].map((name) => f.hello(name));
    expect(second.held).toBe(1);
    second.lost().failed();
    await f.clock.advance(250);
    await f.remove('h:1');
    await f.clock.advance(30_000);
    for (const call of calls) expect(await outcome(call)).toMatchObject({ code: Status.UNAVAILABLE });
    expect(f.transport.connections.every(({ closed }) => closed)).toBe(true);
  });

  it('survive that one cannot even be made', async () => {
    const f = await new PoolFixture({ connectionsPerAddress: 2 }).snapshot('h:1');
    f.transport.refuses = new Error('bad credentials');
    const first = f.transport.to('h:1').ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
    f.transport.refuses = undefined;
    await f.clock.advance(1_000);
    await settle();
    const second = f.transport.to('h:1');
    expect(second).not.toBe(first);
    second.ready();
    second.lost().failed();
    f.transport.refuses = new Error('bad credentials');
    await f.clock.advance(1_000);
    expect(f.rows).toEqual(['h:1 ready 0']);
    f.transport.refuses = undefined;
    await f.clock.advance(15_000);
    expect(f.transport.to('h:1')).not.toBe(second);
  });
});

describe('connections to an address as servers limit their streams', () => {
  it('grow by one when all are at their limits, and shrink when the peak is over', async () => {
    const f = await new PoolFixture({ connectionsPerAddress: { max: 3 } }).snapshot('h:1');
    const first = f.transport.to('h:1').limit(2).ready();
    const calls = [1, 2, 3, 4, 5, 6, 7].map((n) => f.hello(String(n)));
    await settle();
    expect(f.pool.snapshot()).toMatchObject({ pending: 2, waiting: 5 });
    expect(f.transport.connections.length).toBe(2);
    const second = f.transport.to('h:1').limit(2).ready();
    expect(f.pool.snapshot()).toMatchObject({ pending: 4, waiting: 3 });
    const third = f.transport.to('h:1').limit(2).ready();
    expect(f.pool.snapshot()).toMatchObject({ pending: 6, waiting: 1 });
    expect([first, second, third].map(({ held }) => held)).toEqual([2, 2, 2]);
    expect(f.transport.connections.length).toBe(3);
    while (f.transport.open.length > 0) f.transport.open[0]!.answer(greeting(''));
    await Promise.all(calls);

    await f.clock.advance(60_000);
    expect([first, second, third].map(({ retired }) => retired)).toEqual([false, false, false]);
    await f.clock.advance(60_000);
    expect([first, second, third].map(({ retired }) => retired)).toEqual([false, true, true]);
    for (let n = 0; n < 3; n++) void f.hello('again');
    await settle();
    expect(f.pool.snapshot()).toMatchObject({ pending: 2, waiting: 1 });
    expect(f.transport.connections.length).toBe(4);
    while (f.transport.open.length > 0) f.transport.open[0]!.answer(greeting(''));
  });

  it('stay as they are where no limit is known', async () => {
    const f = await new PoolFixture({ connectionsPerAddress: { min: 1, max: 4 } }).snapshot('h:1');
    f.transport.to('h:1').ready();
    for (let n = 0; n < 100; n++) void f.hello('a');
    await settle();
    expect(f.transport.connections.length).toBe(1);
    for (const wire of f.transport.open) wire.answer(greeting(''));
  });

  it.each([
    [{ max: 0 }, /connectionsPerAddress.max is 0/],
    [{ min: 3, max: 2 }, /connectionsPerAddress.max is 2/],
    [{ min: 0, max: 2 }, /connectionsPerAddress.min is 0/],
    [{ max: 2, mist: 1 } as never, /mist/],
  ])('cannot be %j', (connectionsPerAddress, why) => {
    expect(() => new PoolFixture({ connectionsPerAddress })).toThrow(why);
  });
});
