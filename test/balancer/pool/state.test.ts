import { connectivityState } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { outcome, PoolFixture } from '../../support/pool-fixture.js';

const { CONNECTING, READY, SHUTDOWN, TRANSIENT_FAILURE } = connectivityState;

describe('ready()', () => {
  it('resolves when something is READY, at once when it is already', async () => {
    const f = new PoolFixture();
    const both = [f.pool.ready(), f.pool.ready({ timeoutMs: 60_000 })];
    await f.snapshot('h:1');
    expect(await outcome(both[0]!)).toBe('pending');
    f.transport.to('h:1').failed();
    await f.clock.advance(300);
    f.transport.to('h:1').ready();
    await Promise.all(both);
    await f.pool.ready();
    expect(f.clock.pending).toBe(0);
  });

  it('rejects in time, when aborted, and when closed, saying why', async () => {
    const f = await new PoolFixture().snapshot('h:1');
    f.transport.to('h:1').failed('connect ECONNREFUSED h:1');
    const stop = new AbortController();
    const late = outcome(f.pool.ready({ timeoutMs: 100 }).catch((error: unknown) => error));
    expect(await late).toBe('pending');
    const ends = [
      f.pool.ready({ timeoutMs: 100 }),
      f.pool.ready({ timeoutMs: 60_000, signal: stop.signal }),
      f.pool.ready({ timeoutMs: 60_000 }),
    ].map((promise) => promise.catch((error: unknown) => error));
    await f.clock.advance(100);
    stop.abort('enough');
    void f.pool.close();
    expect(await Promise.all(ends)).toMatchObject([
      { code: 'DEADLINE', message: expect.stringContaining('connect ECONNREFUSED h:1') },
      { code: 'ABORTED', cause: 'enough' },
      { code: 'CLOSED' },
    ]);
    await expect(f.pool.ready({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(f.clock.pending).toBe(0);
  });
});

describe('snapshot()', () => {
  it('holds what the pool knows, in order of address, draining rows last', async () => {
    const f = await new PoolFixture().serving('h:2', 'h:1', 'h:3');
    const shared = endpoint('b', 'h:2', { metadata: { zone: 'x' } });
    await f.put(shared, endpoint('c', 'h:4'));
    f.transport.to('h:4').failed('no');
    const pick = f.pool.tryPick()!;
    await f.remove(pick.endpoint.address === 'h:2' ? 'h:1' : pick.endpoint.address);
    const { subchannels, ...rest } = f.pool.snapshot();
    expect(rest).toEqual({
      service: 'greeter',
      picker: 'round-robin',
      registry: { kind: 'current', since: 0 },
      ready: 2,
      waiting: 0,
      pending: 1,
      closed: false,
    });
    expect(subchannels.find(({ endpoint }) => endpoint.address === 'h:2')).toMatchObject({
      endpoint: shared,
      ids: ['b', 'id-h:2'],
      state: { kind: 'ready', since: 0 },
    });
    expect(subchannels.map(({ state }) => state.kind).sort()).toEqual(
      pick.endpoint.address === 'h:2'
        ? ['failed', 'ready', 'ready']
        : ['draining', 'failed', 'ready', 'ready'],
    );
    pick.finish();
  });

  it('is a copy', async () => {
    const f = await new PoolFixture().serving('h:1');
    const before = f.pool.snapshot();
    const pick = f.pool.tryPick()!;
    expect(before.subchannels[0]).toMatchObject({ pending: 0, picked: 0 });
    expect(f.pool.snapshot().subchannels[0]).toMatchObject({ pending: 1, picked: 1 });
    pick.finish();
    expect(f.pool.snapshot().subchannels[0]).toMatchObject({ pending: 0, picked: 1 });
  });
});

describe('events()', () => {
  it('tell what happens, in order', async () => {
    const f = new PoolFixture();
    const events = f.events();
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    await f.clock.advance(1_000);
    f.pool.setPicker('random');
    f.transport.to('h:1').lost().failed('no');
    await f.put(endpoint('id-h:1', 'h:1', { weight: 2 }));
    await f.remove('h:1');
    await f.pool.close();
    await settle();
    expect(
      events.map((event) => {
        const { kind } = event;
        if (kind === 'subchannel') return `${event.address} ${event.from} > ${event.state.kind}`;
        if (kind === 'endpoint-put' || kind === 'endpoint-removed')
          return `${kind} ${event.endpoint.address}`;
        return kind === 'registry' ? `registry ${event.state.kind}` : kind;
      }),
    ).toEqual([
      'endpoint-put h:1',
      'h:1 idle > queued',
      'h:1 queued > connecting',
      'registry current',
      'h:1 connecting > ready',
      'picker',
      'h:1 ready > queued',
      'h:1 queued > connecting',
      'h:1 connecting > failed',
      'endpoint-put h:1',
      // A repeated put reconnects it now.
      'h:1 failed > queued',
      'h:1 queued > connecting',
      'endpoint-removed h:1',
      'h:1 connecting > closed',
      'closed',
    ]);
    expect(events.find((event) => event.kind === 'picker')).toEqual({
      kind: 'picker',
      at: 1_000,
      name: 'random',
    });
  });

  it('tell of endpoints that are doubted', async () => {
    const f = await new PoolFixture({ massRemovalGuard: {} }).serving('h:1', 'h:2', 'h:3');
    const events = f.events();
    await f.snapshot();
    await settle();
    expect(events.map(({ kind }) => kind)).toEqual(Array(3).fill('endpoint-unconfirmed'));
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0', 'h:3 ready 0']);
    expect(f.pool.snapshot().subchannels.every(({ unconfirmed }) => unconfirmed)).toBe(true);
    await f.clock.advance(60_000);
    expect(f.rows).toEqual([]);
  });

  it('end with the loop, the signal, or the pool', async () => {
    const f = await new PoolFixture().serving('h:1');
    const stop = new AbortController();
    const aborted = f.pool.events(stop.signal).next();
    const left = f.pool.events();
    stop.abort();
    expect((await aborted).done).toBe(true);
    await left.return?.();
    await f.pool.close();
    expect((await f.pool.events().next()).done).toBe(true);
  });
});

describe('the channel', () => {
  it('is READY while any subchannel is, and tells of each change once', async () => {
    const f = new PoolFixture();
    const { channel } = f.pool;
    const state = () => channel.getConnectivityState(true);
    const changes: connectivityState[] = [];
    const watch = () => {
      const from = state();
      channel.watchConnectivityState(from, Number.POSITIVE_INFINITY, (error) => {
        expect(error).toBeUndefined();
        changes.push(state());
        if (state() !== SHUTDOWN) watch();
      });
    };
    watch();
    await settle();
    expect(state()).toBe(CONNECTING);
    await f.snapshot('h:1', 'h:2');
    f.transport.to('h:1').failed();
    expect(state()).toBe(CONNECTING);
    f.transport.to('h:2').failed();
    await settle();
    await f.clock.advance(300);
    f.transport.to('h:2').ready();
    await settle();
    await f.clock.advance(1_000);
    f.transport.to('h:1').ready();
    f.transport.to('h:2').lost();
    await settle();
    await f.pool.close();
    await settle();
    expect(changes).toEqual([TRANSIENT_FAILURE, CONNECTING, READY, SHUTDOWN]);
  });

  it('stops watching at the deadline, and says at once when the state is another already', async () => {
    const f = new PoolFixture();
    const heard: (string | undefined)[] = [];
    const { channel } = f.pool;
    const until = f.clock.epochNow() + 100;
    channel.watchConnectivityState(CONNECTING, until, (error) => heard.push(error?.message));
    channel.watchConnectivityState(READY, until, (error) => heard.push(error?.message));
    await settle();
    expect(heard).toEqual([undefined]);
    await f.clock.advance(100);
    expect(heard).toEqual([undefined, 'Deadline passed without connectivity state change']);
    expect(f.clock.pending).toBe(0);
  });

  it('is not closed by its clients', async () => {
    const f = await new PoolFixture().serving('h:1');
    f.pool.channel.close();
    expect(f.pool.channel.getConnectivityState(false)).toBe(READY);
    expect(f.pool.channel.getTarget()).toBe('evenkeel:///greeter');
  });
});

describe('connections', () => {
  it('that cannot even be made are failures like others', async () => {
    const f = new PoolFixture();
    f.transport.refuses = new Error('bad credentials');
    await f.snapshot('h:1');
    expect(f.pool.snapshot().subchannels[0]!.state).toMatchObject({
      kind: 'failed',
      cause: { message: 'bad credentials' },
    });
    f.transport.refuses = undefined;
    await f.clock.advance(300);
    f.transport.to('h:1').ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('are given up when they take too long, and made anew', async () => {
    const f = await new PoolFixture({ connectTimeoutMs: 1_000 }).snapshot('h:1');
    const first = f.transport.to('h:1');
    await f.clock.advance(1_000);
    expect(first.closed).toBe(true);
    await f.clock.advance(300);
    expect(f.transport.connections.length).toBe(2);
    f.transport.to('h:1').ready();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('are woken, not made anew, when they are lost', async () => {
    const f = await new PoolFixture().serving('h:1');
    const connection = f.transport.to('h:1').lost();
    expect(connection.connects).toBe(2);
    connection.ready();
    expect(f.transport.connections.length).toBe(1);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});

describe('options', () => {
  it.each([
    [{ service: '' }, /service is ""/],
    [{ service: 7 }, /service is 7/],
    [
      { maxPendingPerEndpont: 5 },
      /no option is called "maxPendingPerEndpont"; did you mean maxPendingPerEndpoint\?/,
    ],
    [{ queue: 5 }, /queue is 5, and must be an object/],
    [{ queue: { size: 5 } }, /queue: no option is called "size"; there are max/],
    [{ healthCheck: 'yes' }, /healthCheck is "yes", and must be an object/],
    [{ retry: 5 }, /retry is 5, and must be an object/],
    [{ retry: { maxAttemps: 3 } }, /retry: no option is called "maxAttemps"; did you mean maxAttempts\?/],
    [{ retry: { codes: 'UNAVAILABLE' } }, /retry.codes is string, and must be an array/],
    [{ retryBudget: null }, /retryBudget is null, and must be an object/],
    [{ methods: { '/a/b': { timeout: 1 } } }, /methods\["\/a\/b"\]: no option is called "timeout"/],
    [{ outlierDetection: { consecutiveFailure: 3 } }, /did you mean consecutiveFailures\?/],
    [{ outlierDetection: { successRate: null } }, /outlierDetection.successRate is null/],
    [{ registry: {} }, /registry.watch is undefined, and must be a function/],
    [{ logger: 'console' }, /logger is "console", and must be an object/],
    [{ transport: 'http2' }, /transport is "http2", and must be a function/],
    [{ massRemovalGuard: { window: 1 } }, /massRemovalGuard: no option is called "window"/],
    [{ registry: {} }, /registry/],
    [{ picker: 'fair' }, /fair/],
    [{ queue: { max: -1 } }, /queue\.max is -1/],
    [{ drainTimeoutMs: -1 }, /drainTimeoutMs is -1/],
    [{ connectTimeoutMs: 0 }, /connectTimeoutMs is 0/],
  ])('%j are refused', (options, message) => {
    expect(() => new PoolFixture(options as never)).toThrow(message);
  });
});
