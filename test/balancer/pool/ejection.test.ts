import { credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GreeterClient } from '../../../generated/helloworld.js';
import type { OutlierOptions } from '../../../src/balancer/core/outlier-options.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { type FixtureOptions, greeting, PoolFixture } from '../../support/pool-fixture.js';

const ADDRESSES = ['h:1', 'h:2', 'h:3', 'h:4'];

/** A fleet of four with outlier detection. */
function fleet(given: Partial<OutlierOptions> = {}, options: FixtureOptions = {}): Promise<PoolFixture> {
  return new PoolFixture({ outlierDetection: given, ...options }).serving(...ADDRESSES);
}

/** Makes so many calls, one after the other, which fail at some; where they went. */
function serve(f: PoolFixture, calls: number, failing: readonly string[] = []): string[] {
  return Array.from({ length: calls }, () => {
    void f.hello('a');
    const { call } = f.transport;
    if (failing.includes(call.address)) call.end(Status.INTERNAL, 'no');
    else call.answer(greeting(''));
    return call.address;
  });
}

const ejected = (f: PoolFixture) =>
  f.pool
    .snapshot()
    .subchannels.filter((row) => row.ejected)
    .map((row) => row.endpoint.address);

describe('an endpoint that fails', () => {
  it('gets no more picks after five failures, and it is told and logged', async () => {
    const f = await fleet();
    const events = f.events();
    expect(serve(f, 16, ['h:2']).filter((to) => to === 'h:2').length).toBe(4);
    expect(ejected(f)).toEqual([]);
    serve(f, 4, ['h:2']);
    expect(ejected(f)).toEqual(['h:2']);
    expect(new Set(serve(f, 12))).toEqual(new Set(['h:1', 'h:3', 'h:4']));
    expect(f.pool.snapshot().ready).toBe(3);
    await settle();
    expect(events).toEqual([
      { kind: 'ejected', at: 1_000, address: 'h:2', reason: 'consecutive-failures', forMs: 30_000 },
    ]);
    expect(f.warnings).toEqual(['greeter: h:2 is ejected for 30 s: consecutive-failures']);
  });

  it('is taken out at the end of an interval by the comparisons too', async () => {
    const f = await fleet({
      consecutiveFailures: false,
      failurePercentage: { threshold: 85, minimumHosts: 4, requestVolume: 50 },
    });
    serve(f, 200, ['h:2', 'h:3']);
    await f.clock.advance(8_999);
    expect(ejected(f)).toEqual([]);
    await f.clock.advance(1);
    expect(ejected(f)).toEqual(['h:2']);
    expect(f.warnings).toEqual([expect.stringContaining('failure-percentage')]);
  });

  it('stays in when nobody is to be ejected', async () => {
    const f = await new PoolFixture({ outlierDetection: false }).serving(...ADDRESSES);
    serve(f, 400, ['h:2']);
    await f.clock.advance(60_000);
    expect(new Set(serve(f, 4))).toEqual(new Set(ADDRESSES));
    expect(f.warnings).toEqual([]);
  });

  it('is well again with a new connection', async () => {
    const f = await fleet();
    serve(f, 20, ['h:2']);
    f.transport.to('h:2').lost().ready();
    expect(ejected(f)).toEqual([]);
    expect(new Set(serve(f, 4))).toEqual(new Set(ADDRESSES));
  });

  it('serves its calls in flight, and those who wait are not held up by it', async () => {
    const f = await fleet({}, { maxPendingPerEndpoint: 2 });
    const inFlight = Array.from({ length: 4 }, () => f.hello('first'));
    const kept = f.transport.calls.find(({ address }) => address === 'h:2')!;
    serve(f, 20, ['h:2']);
    expect(ejected(f)).toEqual(['h:2']);
    for (const wire of f.transport.open) if (wire !== kept) wire.answer(greeting('hi'));
    kept.answer(greeting('late'));
    expect((await Promise.all(inFlight)).sort()).toEqual(['hi', 'hi', 'hi', 'late']);
    expect(f.rows).toContain('h:2 ready 0');
  });
});

describe('panic', () => {
  it('has ejected endpoints picked while fewer than half would be left', async () => {
    const f = await fleet();
    serve(f, 120, ['h:1', 'h:2']);
    expect(ejected(f)).toEqual(['h:1', 'h:2']);
    expect(new Set(serve(f, 4))).toEqual(new Set(['h:3', 'h:4']));
    f.transport.to('h:3').lost();
    expect(new Set(serve(f, 6))).toEqual(new Set(['h:1', 'h:2', 'h:4']));
    f.transport.to('h:3').ready();
    expect(ejected(f)).toEqual(['h:1', 'h:2']);
    expect(new Set(serve(f, 4))).toEqual(new Set(['h:3', 'h:4']));
  });

  it('never comes by ejecting: half of all are out at the most', async () => {
    const f = await fleet();
    serve(f, 120, ['h:1', 'h:2']);
    serve(f, 400, ['h:3']);
    expect(ejected(f)).toEqual(['h:1', 'h:2']);
    expect(new Set(serve(f, 4)).size).toBe(2);
  });

  it('nor do answers that all give alike', async () => {
    const f = await fleet();
    serve(f, 400, ADDRESSES);
    expect(ejected(f)).toEqual([]);
  });
});

describe('a probe', () => {
  const ejectedFor30s = async (options: FixtureOptions = {}) => {
    const f = await fleet({}, options);
    serve(f, 20, ['h:2']);
    await f.clock.advance(29_999);
    return f;
  };

  it('is one call past the picker, once the time is over, and brings the endpoint back', async () => {
    const started: string[] = [];
    const f = await ejectedFor30s({
      picker: () => {
        let turn = 0;
        return {
          name: 'turns',
          pick: (ready) => ready[turn++ % ready.length],
          started: ({ endpoint }) => void started.push(endpoint.address),
        };
      },
    });
    const events = f.events();
    expect(serve(f, 12)).not.toContain('h:2');
    await f.clock.advance(1);
    started.length = 0;
    const probe = f.hello('probe');
    const wire = f.transport.call;
    expect(wire.address).toBe('h:2');
    expect(serve(f, 12)).not.toContain('h:2');
    expect(started).not.toContain('h:2');
    expect(ejected(f)).toEqual(['h:2']);
    wire.answer(greeting('hi'));
    expect(await probe).toBe('hi');
    expect(ejected(f)).toEqual([]);
    expect(new Set(serve(f, 4))).toEqual(new Set(ADDRESSES));
    expect(started).toContain('h:2');
    expect(events.filter(({ kind }) => kind === 'returned')).toEqual([
      { kind: 'returned', at: 31_000, address: 'h:2' },
    ]);
    expect(f.infos).toEqual(['greeter: h:2 is back']);
  });

  it('that fails keeps the endpoint out for twice as long', async () => {
    const f = await ejectedFor30s();
    await f.clock.advance(1);
    expect(serve(f, 1, ['h:2'])).toEqual(['h:2']);
    expect(f.warnings.at(-1)).toBe('greeter: h:2 is ejected for 60 s: probe-failed');
    await f.clock.advance(59_999);
    expect(serve(f, 12)).not.toContain('h:2');
    await f.clock.advance(1);
    expect(serve(f, 1)).toEqual(['h:2']);
    expect(ejected(f)).toEqual([]);
  });

  it('that never reached the server goes elsewhere, and the next call probes', async () => {
    const f = await ejectedFor30s();
    await f.clock.advance(1);
    f.transport.opensStreams = false;
    const call = f.hello('a');
    expect(f.transport.call.address).toBe('h:2');
    f.transport.opensStreams = true;
    f.transport.call.loseUnsent();
    expect(f.transport.call.address).not.toBe('h:2');
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(serve(f, 1)).toEqual(['h:2']);
    expect(ejected(f)).toEqual([]);
  });

  it.each([
    ['a key', { key: 'k' }],
    ['a group', { group: 'g' }],
  ])('is no call with %s', async (_, options) => {
    const f = await ejectedFor30s();
    await f.clock.advance(1);
    void f.hello('a', options);
    expect(f.transport.call.address).not.toBe('h:2');
    f.transport.call.answer(greeting(''));
    expect(serve(f, 1)).toEqual(['h:2']);
  });

  it('is not sent to who is full', async () => {
    const f = await fleet({}, { maxPendingPerEndpoint: ({ metadata }) => Number(metadata.room ?? 9) });
    const slow = ADDRESSES.map(() => f.hello('slow'));
    const kept = f.transport.open.find(({ address }) => address === 'h:2')!;
    serve(f, 20, ['h:2']);
    await f.put(endpoint('id-h:2', 'h:2', { metadata: { room: '1' } }));
    await f.clock.advance(30_000);
    expect(serve(f, 4)).not.toContain('h:2');
    kept.answer(greeting(''));
    expect(serve(f, 1)).toEqual(['h:2']);
    for (const wire of f.transport.open) wire.answer(greeting(''));
    await Promise.all(slow);
  });

  it('is not sent to who is of weight 0 meanwhile', async () => {
    const f = await ejectedFor30s();
    await f.put(endpoint('id-h:2', 'h:2', { weight: 0 }));
    await f.clock.advance(1);
    expect(serve(f, 8)).not.toContain('h:2');
  });

  it('is not waited for for ever: without calls the endpoint is back soon, and one failure ejects it again', async () => {
    const f = await ejectedFor30s();
    await f.clock.advance(10_000);
    expect(ejected(f)).toEqual([]);
    serve(f, 4, ['h:2']);
    expect(ejected(f)).toEqual(['h:2']);
  });
});

describe('a server that hangs', () => {
  const warm = async (given: Partial<OutlierOptions> = {}) => {
    const f = await fleet(given);
    // The p99 is known from 50 latencies on.
    serve(f, 60);
    return f;
  };
  /** One call to each: all of them but that to h:2 are answered, again and again, for so long. */
  const hangs = async (
    f: PoolFixture,
    ms: number,
    hello: () => unknown = () => f.hello('a', { timeoutMs: 60_000 }),
  ) => {
    const calls = Array.from({ length: 4 }, hello);
    const hung = f.transport.open.find(({ address }) => address === 'h:2')!;
    for (let waited = 0; waited < ms; waited += 50) {
      for (const wire of f.transport.open) if (wire.address !== 'h:2') wire.answer(greeting(''));
      await f.clock.advance(50);
      void hello();
    }
    return { calls, hung };
  };
  const finish = (f: PoolFixture) => {
    for (const wire of f.transport.open) wire.answer(greeting(''));
  };

  it('is ejected while others answer, and back when it does', async () => {
    const f = await warm();
    const { hung } = await hangs(f, 200);
    expect(ejected(f)).toEqual([]);
    await hangs(f, 200);
    expect(ejected(f)).toEqual(['h:2']);
    expect(f.warnings).toEqual(['greeter: h:2 is ejected for 30 s: hung']);
    hung.answer(greeting('late'));
    expect(ejected(f)).toEqual([]);
    finish(f);
  });

  it('is ejected when its calls are those of a generated client, whose service says that they are unary', async () => {
    const f = await warm();
    const client = f.pool.client(GreeterClient);
    await hangs(f, 400, () => client.sayHello({ name: 'a' }, () => {}));
    expect(ejected(f)).toEqual(['h:2']);
    finish(f);
  });

  it('is let be when nobody knows that its calls want one answer', async () => {
    const f = await warm();
    const client = new GreeterClient('', credentials.createInsecure(), { channelOverride: f.pool.channel });
    await hangs(f, 2_000, () => client.sayHello({ name: 'a' }, () => {}));
    expect(ejected(f)).toEqual([]);
    finish(f);
  });

  it('is not told from its client, or its network, when nobody answers', async () => {
    const f = await warm();
    for (let i = 0; i < 8; i++) void f.hello('a');
    await f.clock.advance(5_000);
    expect(ejected(f)).toEqual([]);
    finish(f);
  });

  it('is let be when that is switched off', async () => {
    const f = await warm({ hung: false });
    await hangs(f, 2_000);
    expect(ejected(f)).toEqual([]);
    finish(f);
  });

  it('is looked for only while calls are pending', async () => {
    const f = await warm();
    await f.clock.advance(100);
    // The end of the interval alone.
    expect(f.clock.pending).toBe(1);
  });
});
