// When a session ends, on a virtual clock and a scripted stream.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { APPLIED_CHANNEL } from '../../../src/registry/etcd/applied.js';
import { Patience } from '../../../src/registry/etcd/patience.js';
import {
  type EtcdConnection,
  EtcdError,
  type KeyValue,
  type WatchEvent,
} from '../../../src/registry/etcd/port.js';
import { runSession } from '../../../src/registry/etcd/session.js';
import { PageSize } from '../../../src/registry/etcd/snapshot.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { FakeConnection } from './fake-connection.js';

async function session({ keys = 2, bytes = 3, clock = new VirtualClock() } = {}) {
  const stream = new FakeConnection(keys, bytes);
  const snapshots: (readonly KeyValue[])[] = [];
  const batches: (readonly WatchEvent[])[] = [];
  const patience = new Patience(1);
  const world = { clock, stream, snapshots, batches, patience, cause: undefined as string | undefined };
  runSession({
    connection: stream as unknown as EtcdConnection,
    keysBegin: '/p/s/',
    requestTimeoutMs: 1_000,
    patience,
    pageSize: new PageSize(),
    clock,
    signal: new AbortController().signal,
    onSnapshot: (entries) => snapshots.push(entries),
    onChanges: (batch) => batches.push(batch),
  }).catch((error: Error) => {
    world.cause = error.message;
  });
  await clock.advance(0);
  return world;
}

async function liveSession(options: Parameters<typeof session>[0] = {}) {
  const world = await session(options);
  world.stream.say(100, 'created');
  await world.clock.advance(0);
  expect(world.snapshots).toHaveLength(1);
  return world;
}

describe('runSession', () => {
  it('watches from the revision of its snapshot on, and tells the snapshot when the watch is on', async () => {
    const { clock, stream, snapshots } = await session();
    expect(stream.sent).toEqual([
      {
        kind: 'create',
        key: Buffer.from('/p/s/'),
        rangeEnd: new TextEncoder().encode('/p/s0'),
        startRevision: 100n,
      },
    ]);
    expect(snapshots).toHaveLength(0);
    stream.say(100, 'created');
    await clock.advance(0);
    expect(snapshots.map((entries) => entries.length)).toEqual([2]);
  });

  it('tells those who listen what it has applied, revision by revision', async () => {
    const told: unknown[] = [];
    const hear = (message: unknown) => told.push(message);
    subscribe(APPLIED_CHANNEL, hear);
    try {
      const { stream, clock } = await liveSession();
      stream.change(101, 102);
      stream.change(105);
      await clock.advance(0);
    } finally {
      unsubscribe(APPLIED_CHANNEL, hear);
    }
    expect(told).toEqual([
      { kind: 'snapshot', keysBegin: '/p/s/', revision: 100n },
      { kind: 'changes', keysBegin: '/p/s/', revisions: [101n, 102n] },
      { kind: 'changes', keysBegin: '/p/s/', revisions: [105n] },
    ]);
  });

  it('leaves out what the snapshot has already, and that alone', async () => {
    const world = await liveSession();
    world.stream.change(100, 100);
    expect(world.batches).toEqual([]);
    world.stream.change(100, 101);
    expect(world.batches.map((batch) => batch.map(({ key }) => String(key)))).toEqual([['k101']]);
    world.stream.change(100);
    await world.clock.advance(0);
    expect(world.cause).toMatch(/revision 100 twice, or too late/);
  });

  it('reads a large prefix by pages at one revision, each key once', async () => {
    const { stream, snapshots, clock } = await session({ keys: 12_500 });
    stream.say(100, 'created');
    await clock.advance(0);
    expect(stream.pages).toEqual([
      [undefined, 100],
      [100n, 1_000],
      [100n, 10_000],
      [100n, 10_000],
    ]);
    const keys = (snapshots[0] ?? []).map(({ key }) => key.toString());
    expect(new Set(keys).size).toBe(12_500);
    expect(keys).toEqual([...keys].sort());
  });

  it('reads large values by pages of about a mebibyte', async () => {
    const { stream } = await session({ keys: 200, bytes: 100_000 });
    expect(stream.pages.slice(0, 3)).toEqual([
      [undefined, 100],
      [100n, 11],
      [100n, 11],
    ]);
  });

  it('tells a removal from a put', async () => {
    const { stream, batches } = await liveSession();
    const event = { key: Buffer.from('k'), value: undefined, revision: 101n, created: false };
    stream.say(101, 'events', { events: [event] });
    expect(batches).toEqual([[event]]);
  });

  it('hands every batch on whole, in order', async () => {
    const { stream, batches } = await liveSession();
    stream.change(101, 101, 102);
    stream.change(105);
    expect(batches.map((batch) => batch.map(({ key }) => String(key)))).toEqual([
      ['k101', 'k101', 'k102'],
      ['k105'],
    ]);
  });

  it('asks for a sign of life after 2 s of silence, and lives on as long as there is one', async () => {
    const { clock, stream, ...world } = await liveSession();
    for (let beat = 1; beat <= 50; beat++) {
      await clock.advance(2_000);
      expect(stream.asked).toBe(beat);
      await clock.advance(900);
      stream.say(100);
    }
    expect(world.cause).toBeUndefined();
    // It answers: so it is not asked in another way, but the first time, when that was not known.
    expect(stream.counted).toBe(1);
  });

  it('asks once more before it judges: etcd drops a question that comes while it is catching up', async () => {
    const world = await liveSession();
    await world.clock.advance(2_999);
    expect(world.stream.asked).toBe(1);
    await world.clock.advance(1);
    expect(world.stream.asked).toBe(2);
    world.stream.say(100);
    await world.clock.advance(1_999);
    expect([world.stream.asked, world.cause]).toEqual([2, undefined]);
  });

  it('ends 2 s after the question when nothing is said', async () => {
    const world = await liveSession();
    await world.clock.advance(3_999);
    expect(world.cause).toBeUndefined();
    await world.clock.advance(1);
    expect(world.cause).toBe('etcd was silent for 4 s');
    expect(world.stream.cancelled).toBe(true);
    expect(world.clock.pending).toBe(0);
  });

  it('ends when an etcd that has answered progress requests answers one no more, whatever it answers else', async () => {
    const world = await liveSession();
    world.stream.onCount = async () => ({});
    await world.clock.advance(2_000);
    world.stream.say(100);
    await world.clock.advance(3_999);
    expect(world.cause).toBeUndefined();
    await world.clock.advance(1);
    expect(world.cause).toBe('etcd was silent for 4 s');
  });

  it('ends when the watch is not even created', async () => {
    const world = await session();
    await world.clock.advance(2_000);
    expect(world.cause).toMatch(/silent/);
    expect(world.snapshots).toHaveLength(0);
  });

  it('hears before it judges when this process stood still', async () => {
    class Standing extends VirtualClock {
      skippedMs = 0;
      override now(): number {
        return super.now() + this.skippedMs;
      }
    }
    const clock = new Standing();
    const world = await liveSession({ clock });
    await clock.advance(2_000);
    clock.skippedMs = 60_000;
    await clock.advance(2_000);
    expect(world.cause).toBeUndefined();
    world.stream.say(100);
    await clock.advance(3_999);
    expect(world.cause).toBeUndefined();
    clock.skippedMs += 60_000;
    await clock.advance(1);
    expect(world.cause).toBeUndefined();
    await clock.advance(2_000);
    expect(world.cause).toMatch(/silent/);
  });

  it.each<[string, (stream: FakeConnection) => void, RegExp]>([
    ['an error', (stream) => stream.end(new Error('14 UNAVAILABLE: gone')), /^14 UNAVAILABLE: gone$/],
    [
      'a cancel with a reason',
      (stream) => stream.say(100, 'canceled', { reason: 'no permission' }),
      /cancelled the watch: no permission/,
    ],
    ['a cancel without one', (stream) => stream.say(100, 'canceled'), /cancelled the watch: no reason given/],
    ['another cluster', (stream) => stream.say(100, 'progress', { clusterId: '8' }), /another etcd cluster/],
    [
      'a change told twice',
      (stream) => {
        stream.change(101);
        stream.change(101);
      },
      /revision 101 twice/,
    ],
    [
      'a change told too late',
      (stream) => {
        stream.change(103);
        stream.change(102);
      },
      /revision 102 twice, or too late/,
    ],
    ['a change of before the snapshot', (stream) => stream.change(99), /revision 99 twice, or too late/],
    ['a second creation', (stream) => stream.say(100, 'created'), /created the watch twice/],
  ])('ends by %s, and hands nothing on after it', async (_, fault, message) => {
    const world = await liveSession();
    fault(world.stream);
    const before = world.batches.length;
    world.stream.change(200);
    await world.clock.advance(0);
    expect(world.cause).toMatch(message);
    expect(world.batches).toHaveLength(before);
    expect(world.stream.cancelled).toBe(true);
    expect(world.clock.pending).toBe(0);
  });

  it('ends when the watch is created in an older store than the snapshot is from', async () => {
    const world = await session();
    world.stream.say(99, 'created');
    await world.clock.advance(0);
    expect(world.cause).toMatch(/at revision 99 and was at 100/);
    expect(world.snapshots).toHaveLength(0);
  });

  it('ends when changes come before the watch is on', async () => {
    const world = await session();
    world.stream.change(101);
    await world.clock.advance(0);
    expect(world.cause).toMatch(/before the watch was on/);
  });

  it('ends when an answer is of before its question, but not when changes overtake it', async () => {
    const world = await liveSession();
    world.stream.change(110);
    await world.clock.advance(2_000);
    world.stream.change(120);
    world.stream.say(110);
    await world.clock.advance(0);
    expect(world.cause).toBeUndefined();
    await world.clock.advance(2_000);
    world.stream.say(119);
    await world.clock.advance(2_000);
    expect(world.cause).toBeUndefined();
    world.stream.say(118);
    await world.clock.advance(0);
    expect(world.cause).toMatch(/at revision 118 and was at 119/);
  });

  it('ends when what hears it throws', async () => {
    const clock = new VirtualClock();
    const stream = new FakeConnection(0);
    const ended = runSession({
      connection: stream as unknown as EtcdConnection,
      keysBegin: '/p/s/',
      requestTimeoutMs: 1_000,
      patience: new Patience(1),
      pageSize: new PageSize(),
      clock,
      signal: new AbortController().signal,
      onSnapshot: () => {
        throw new Error('reader broke');
      },
      onChanges: () => {},
    });
    const checked = expect(ended).rejects.toThrow('reader broke');
    await clock.advance(0);
    stream.say(100, 'created');
    await checked;
  });
});

describe('a peer that answers no progress requests', () => {
  const quiet = async () => {
    const world = await liveSession();
    world.stream.onCount = async () => ({});
    return world;
  };

  it('proves that it lives by reads, and is asked for progress no more', async () => {
    const world = await quiet();
    await world.clock.advance(60_000);
    expect(world.cause).toBeUndefined();
    expect(world.stream.asked).toBe(2);
    // Once when it was not known, 4 s after the watch was on, and every 2 s from then on.
    expect(world.stream.counted).toBe(1 + 28);
    world.stream.change(101);
    world.stream.onCount = async () => ({ revision: 101n, count: 3 });
    await world.clock.advance(60_000);
    expect(world.cause).toBeUndefined();
  });

  it('is not asked for progress again because it once told of its own', async () => {
    const world = await quiet();
    await world.clock.advance(20_000);
    const { asked } = world.stream;
    let answer = (_: Partial<object>) => {};
    world.stream.onCount = () => new Promise((resolve) => (answer = resolve));
    await world.clock.advance(2_000);
    world.stream.say(100);
    answer({});
    world.stream.onCount = async () => ({});
    await world.clock.advance(20_000);
    expect([world.cause, world.stream.asked]).toEqual([undefined, asked]);
  });

  it('is dead when a read fails, is not answered, or is of another store', async () => {
    for (const [onCount, message] of [
      [() => Promise.reject(new EtcdError('unreachable', 'no leader')), /no leader/],
      [() => new Promise<never>(() => {}), /silent for 4 s/],
      [async () => ({ revision: 99n }), /at revision 99 and was at 100/],
      [async () => ({ clusterId: '8' }), /another etcd cluster/],
    ] as const) {
      const world = await quiet();
      await world.clock.advance(20_000);
      expect(world.cause).toBeUndefined();
      world.stream.onCount = onCount;
      await world.clock.advance(4_000);
      expect(world.cause).toMatch(message);
      expect(world.clock.pending).toBe(0);
    }
  });

  it('is not believed when keys come or go of which its watch does not tell', async () => {
    const world = await quiet();
    await world.clock.advance(20_000);
    world.stream.onCount = async () => ({ revision: 101n, count: 3 });
    await world.clock.advance(2_000);
    // Its watch may be a little late.
    expect(world.cause).toBeUndefined();
    world.stream.change(101);
    await world.clock.advance(20_000);
    expect(world.cause).toBeUndefined();
    world.stream.onCount = async () => ({ revision: 102n, count: 2 });
    await world.clock.advance(4_000);
    expect(world.cause).toBe('etcd holds 2 keys, and the watch has told of 3');
  });
});
