import { EventEmitter, getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { EchoClient } from '../../../generated/evenkeel/echo/v1/echo.js';
import { GreeterClient } from '../../../generated/helloworld.js';
import { Cancellations, type ParentCall } from '../../../src/balancer/calls/cancellations.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

class Handled extends EventEmitter implements ParentCall {
  cancelled = false;

  getDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  cancel(): void {
    this.cancelled = true;
    this.emit('cancelled');
  }
}

const MANY = 50;

/** What the process warns of while it runs. */
async function warned(run: () => Promise<void>): Promise<string[]> {
  const names: string[] = [];
  const hear = (warning: Error) => names.push(warning.name);
  process.on('warning', hear);
  try {
    await run();
    await new Promise(setImmediate);
  } finally {
    process.off('warning', hear);
  }
  return names;
}

describe('Cancellations', () => {
  it('cancel all that are bound, once each, and let go of the source with the last', () => {
    const cancellations = new Cancellations();
    const stop = new AbortController();
    const cancelled: number[] = [];
    const cancel = (n: number) => () => void cancelled.push(n);
    const undo = Array.from({ length: MANY }, (_, n) => cancellations.onAbort(stop.signal, cancel(n)));
    expect(getEventListeners(stop.signal, 'abort').length).toBe(1);
    for (const n of [0, 1, 1]) undo[n]!();
    stop.abort();
    expect(cancelled).toEqual(Array.from({ length: MANY - 2 }, (_, n) => n + 2));
    for (const each of undo) each();
    expect(getEventListeners(stop.signal, 'abort').length).toBe(0);
    const again = cancellations.onAbort(stop.signal, cancel(0));
    expect(getEventListeners(stop.signal, 'abort').length).toBe(1);
    again();
  });

  it('call what is given twice twice', () => {
    const cancellations = new Cancellations();
    const parent = new Handled();
    let times = 0;
    const cancel = () => void times++;
    const undo = [
      cancellations.onParentCancelled(parent, cancel),
      cancellations.onParentCancelled(parent, cancel),
    ];
    parent.cancel();
    expect(times).toBe(2);
    for (const each of undo) each();
    expect(parent.listenerCount('cancelled')).toBe(0);
  });
});

describe('one signal', () => {
  it('cancels any number of calls, picks and waits, of which nobody is warned', async () => {
    const stop = new AbortController();
    const { signal } = stop;
    const names = await warned(async () => {
      const f = await new PoolFixture({ maxPendingPerEndpoint: 20 }).serving('h:1');
      const made = Array.from({ length: MANY }, () => [
        f.hello('a', { signal }),
        f.pool.pick({ signal }),
      ]).flat();
      const g = new PoolFixture();
      for (let n = 0; n < MANY; n++) made.push(g.pool.ready({ signal }) as Promise<never>);
      for (const each of made) each.catch(() => {});
      await settle();
      stop.abort();
      for (const each of made) {
        const end = (await outcome(each)) as { code?: unknown; finish?: () => void };
        if (end.finish !== undefined) end.finish();
        else expect([Status.CANCELLED, 'ABORTED']).toContain(end.code);
      }
    });
    expect(names).toEqual([]);
    expect(getEventListeners(signal, 'abort').length).toBe(0);
  });
});

describe('a parent that lives long', () => {
  it.each(['pool.stub', 'pool.client', 'a hedged call of pool.client', 'pick.as'])(
    'gathers no listeners, by %s',
    async (way) => {
      const parent = new Handled();
      const methods =
        way === 'a hedged call of pool.client'
          ? { '/helloworld.Greeter/*': { idempotent: true, hedge: { delayMs: 50 } } }
          : {};
      const f = await new PoolFixture({ methods }).serving('h:1');
      const asParent = { parent: parent as never };
      const make = async () => {
        if (way === 'pool.stub') void f.hello('a', { parent });
        else if (way === 'pick.as') {
          (await f.pool.pick()).as(GreeterClient).sayHello({ name: 'a' }, asParent as never, () => {});
        } else f.pool.client(GreeterClient).sayHello({ name: 'a' }, asParent as never, () => {});
        await settle();
      };
      const names = await warned(async () => {
        for (let n = 0; n < MANY; n++) await make();
        expect(parent.listenerCount('cancelled')).toBe(1);
        for (const wire of f.transport.open) wire.answer(greeting(''));
        await settle();
        await f.clock.advance(0);
      });
      expect(names).toEqual([]);
      expect(parent.listenerCount('cancelled')).toBe(0);
    },
  );

  it('that is cancelled already lets no call begin', async () => {
    const parent = new Handled();
    parent.cancel();
    const f = await new PoolFixture().serving('h:1');
    const byClient = new Promise((resolve) =>
      f.pool
        .client(EchoClient)
        .bidi({ parent: parent as never } as never)
        .on('error', resolve),
    );
    expect(await outcome(byClient)).toMatchObject({
      code: Status.CANCELLED,
      details: 'Cancelled by parent call',
    });
    expect(f.transport.calls).toEqual([]);
  });
});
