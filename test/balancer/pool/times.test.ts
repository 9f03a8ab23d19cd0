// What bounds calls in time: what is taken for a time, and by which clock it is measured.
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GreeterClient } from '../../../generated/helloworld.js';
import { expiresAt } from '../../../src/balancer/calls/deadline.js';
import { Status } from '../../../src/base/errors.js';
import { settle, VirtualClock } from '../../../src/testing/index.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

/** A clock whose time on the wall may be set. */
class SetClock extends VirtualClock {
  offBy = 0;

  override epochNow(): number {
    return super.epochNow() + this.offBy;
  }
}

const NO_TIMES: unknown[] = ['500', '', Number.NaN, null, {}, [], 5n, true];
const FAR = [Number.MAX_SAFE_INTEGER, Number.MAX_VALUE, 8.64e15, Number.POSITIVE_INFINITY];

describe('what is no time', () => {
  it.each(NO_TIMES)('is refused as timeoutMs: %s', async (timeoutMs) => {
    const f = await new PoolFixture().serving('h:1');
    const invalid = { code: 'INVALID_OPTION', message: expect.stringContaining('timeoutMs') };
    for (const made of [
      f.hello('a', { timeoutMs: timeoutMs as number }),
      f.echo.serverStream({} as never, { timeoutMs: timeoutMs as number }).next(),
      f.pool.pick({ timeoutMs: timeoutMs as number }),
      f.pool.ready({ timeoutMs: timeoutMs as number }),
    ]) {
      expect(await outcome(made)).toMatchObject(invalid);
    }
    expect(f.transport.calls).toEqual([]);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it.each([...NO_TIMES, new Date(Number.NaN)])('is refused as a deadline: %s', async (deadline) => {
    const f = await new PoolFixture().serving('h:1');
    const invalid = { code: 'INVALID_OPTION', message: expect.stringContaining('deadline') };
    expect(await outcome(f.hello('a', { deadline: deadline as number }))).toMatchObject(invalid);
    expect(await outcome(f.pool.pick({ deadline: deadline as number }))).toMatchObject(invalid);
    const parent = { cancelled: false, getDeadline: () => deadline as number, on() {}, off() {} };
    expect(await outcome(f.hello('a', { parent }))).toMatchObject(invalid);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('is thrown in the turn of who calls, by a generated client', async () => {
    const f = await new PoolFixture().serving('h:1');
    const client = f.pool.client(GreeterClient);
    for (const deadline of ['500', Number.NaN, new Date(Number.NaN)]) {
      expect(() =>
        client.sayHello({ name: 'a' }, new Metadata(), { deadline: deadline as Date }, () => {}),
      ).toThrow();
    }
    await settle();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});

describe('a time that is far away', () => {
  it.each(FAR)('is no limit for a call or a pick: %d ms', async (timeoutMs) => {
    const f = await new PoolFixture().snapshot('h:1');
    const calls = [f.hello('a', { timeoutMs }), f.hello('b', { deadline: timeoutMs })];
    const pick = f.pool.pick({ timeoutMs });
    const ready = f.pool.ready({ timeoutMs });
    f.transport.to('h:1').ready();
    await f.clock.advance(1_000);
    await ready;
    (await pick).finish();
    for (const wire of f.transport.open) wire.answer(greeting('hi'));
    expect(await Promise.all(calls)).toEqual(['hi', 'hi']);
  });
});

describe('a deadline', () => {
  it('that has passed is not sent, nor waited for', async () => {
    const f = await new PoolFixture().serving('h:1');
    const late = [{ timeoutMs: 0 }, { timeoutMs: -1 }, { deadline: 0 }, { deadline: new Date(0) }];
    for (const options of late) {
      expect(await outcome(f.hello('a', options))).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    }
    const byClient = new Promise((resolve) => {
      f.pool.client(GreeterClient).sayHello({ name: 'a' }, new Metadata(), { deadline: 1 }, resolve);
    });
    expect(await outcome(byClient)).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    expect(f.transport.calls).toEqual([]);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('is not moved by the clock on the wall', async () => {
    const clock = new SetClock();
    const f = new PoolFixture({ clock });
    const ends: string[] = [];
    const call = f.hello('waits', { timeoutMs: 1_000 }).catch((error) => ends.push(`call ${error.code}`));
    const pick = f.pool
      .pick({ deadline: clock.epochNow() + 1_000 })
      .catch((error) => ends.push(`pick ${error.code}`));
    const ready = f.pool.ready({ timeoutMs: 1_000 }).catch((error) => ends.push(`ready ${error.code}`));
    clock.offBy = -3_600_000;
    await clock.advance(999);
    expect(ends).toEqual([]);
    await clock.advance(1);
    await Promise.all([call, pick, ready]);
    expect(ends.sort()).toEqual(['call 4', 'pick NO_ENDPOINTS', 'ready NO_ENDPOINTS']);
  });

  it('leaves the next attempt what is left, whatever the wall says', async () => {
    const clock = new SetClock();
    const f = await new PoolFixture({ clock, retry: { backoff: { baseMs: 0, maxMs: 0 } } }).serving(
      'h:1',
      'h:2',
    );
    void f.hello('a', { timeoutMs: 1_000 });
    await clock.advance(400);
    clock.offBy = -3_600_000;
    f.transport.call.end(Status.UNAVAILABLE, 'no');
    await clock.advance(0);
    expect(f.transport.calls.map(({ timeoutMs }) => timeoutMs)).toEqual([1_000, 600]);
    f.transport.call.answer(greeting(''));
  });

  it('of a server that is first by a moment is the call’s: its CANCEL is no cancellation', async () => {
    const f = await new PoolFixture().serving('h:1');
    for (const [afterMs, code] of [
      [100, Status.DEADLINE_EXCEEDED],
      [97, Status.DEADLINE_EXCEEDED],
      [50, Status.CANCELLED],
    ] as const) {
      const call = f.hello('a', { timeoutMs: 100 });
      await f.clock.advance(afterMs);
      f.transport.call.end(Status.CANCELLED, 'Call cancelled');
      expect(await outcome(call)).toMatchObject({ code });
    }
  });

  it('does not make a cancellation of the caller’s its own', async () => {
    const f = await new PoolFixture().serving('h:1');
    const stop = new AbortController();
    const call = f.hello('a', { timeoutMs: 100, signal: stop.signal });
    await f.clock.advance(98);
    stop.abort();
    expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED });
  });
});

describe('expiresAt', () => {
  it('takes the earliest of what bounds a call, and the default only for want of another', () => {
    const clock = new VirtualClock();
    const epoch = clock.epochNow();
    const parent = (deadline: Date | number) => ({ getDeadline: () => deadline });
    expect(expiresAt(clock, {})).toBe(Number.POSITIVE_INFINITY);
    expect(expiresAt(clock, {}, 70)).toBe(70);
    expect(expiresAt(clock, { timeoutMs: 90 }, 70)).toBe(90);
    expect(expiresAt(clock, { deadline: epoch + 80 }, 70)).toBe(80);
    expect(expiresAt(clock, { deadline: epoch + 80, timeoutMs: 60 }, 70)).toBe(60);
    expect(expiresAt(clock, { timeoutMs: 90, parent: parent(epoch + 50) }, 70)).toBe(50);
    expect(expiresAt(clock, { parent: parent(new Date(epoch + 75)) }, 70)).toBe(70);
  });
});
