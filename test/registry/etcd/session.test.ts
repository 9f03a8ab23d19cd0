// When a session ends, on a virtual clock and a scripted stream.
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { EtcdClient } from '../../../src/registry/etcd/client.js';
import type { KeyChange, KeyValue } from '../../../src/registry/etcd/reader.js';
import { runSession } from '../../../src/registry/etcd/session.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';

class FakeStream extends EventEmitter {
  readonly sent: Record<string, unknown>[] = [];
  cancelled = false;

  write(request: Record<string, unknown>): void {
    this.sent.push(request);
  }

  cancel(): void {
    this.cancelled = true;
  }

  say(revision: number, more: Record<string, unknown> = {}): void {
    this.emit('data', {
      header: { cluster_id: '7', revision: String(revision) },
      created: false,
      canceled: false,
      cancel_reason: '',
      compact_revision: '0',
      events: [],
      ...more,
    });
  }

  change(...revisions: number[]): void {
    const events = revisions.map((revision) => ({
      type: 'Put',
      kv: { key: Buffer.from(`k${revision}`), value: Buffer.from('v'), mod_revision: String(revision) },
    }));
    this.say(Math.max(...revisions), { events });
  }
}

/** etcd3's range builder over keys in memory, all of them of revision 100. */
class FakeRange {
  #start: Buffer = Buffer.of();
  #limit = 0;
  #revision: string | undefined;

  constructor(
    readonly keys: readonly KeyValue[],
    readonly requests: [string | undefined, number][],
  ) {}

  inRange({ start }: { start: Buffer }): this {
    this.#start = start;
    return this;
  }

  limit(limit: number): this {
    this.#limit = limit;
    return this;
  }

  revision(revision: string): this {
    this.#revision = revision;
    return this;
  }

  options(): this {
    return this;
  }

  async exec() {
    this.requests.push([this.#revision, this.#limit]);
    const rest = this.keys.filter(({ key }) => Buffer.compare(key, this.#start) >= 0);
    const kvs = rest.slice(0, this.#limit);
    return { header: { revision: '100', cluster_id: '7' }, kvs, more: rest.length > kvs.length };
  }
}

/** A client of a store with this many keys. */
function fakeClient(count: number, stream: FakeStream) {
  const requests: [string | undefined, number][] = [];
  const keys = Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`/p/s/${String(i).padStart(5, '0')}`),
    value: Buffer.from('a:1'),
  }));
  const etcd = {
    getAll: () => new FakeRange(keys, requests),
    watchClient: { watch: async () => stream },
  };
  const run = (call: (etcd: unknown, options: unknown) => unknown) => call(etcd, {});
  const client = { call: run, open: run } as unknown as Pick<EtcdClient, 'call' | 'open'>;
  return { requests, client };
}

async function session({ keys = 2 } = {}) {
  const clock = new VirtualClock();
  const stream = new FakeStream();
  const { client, requests } = fakeClient(keys, stream);
  const snapshots: (readonly KeyValue[])[] = [];
  const batches: (readonly KeyChange[])[] = [];
  const world = { clock, stream, requests, snapshots, batches, cause: undefined as string | undefined };
  runSession({
    client,
    keysBegin: '/p/s/',
    requestTimeoutMs: 1_000,
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

async function liveSession() {
  const world = await session();
  world.stream.say(100, { created: true });
  await world.clock.advance(0);
  expect(world.snapshots).toHaveLength(1);
  return world;
}

describe('runSession', () => {
  it('watches from the revision after its snapshot on, and tells the snapshot when the watch is on', async () => {
    const { clock, stream, snapshots } = await session();
    expect(stream.sent).toMatchObject([
      {
        create_request: { key: Buffer.from('/p/s/'), range_end: Buffer.from('/p/s0'), start_revision: '101' },
      },
    ]);
    expect(snapshots).toHaveLength(0);
    stream.say(100, { created: true });
    await clock.advance(0);
    expect(snapshots.map((entries) => entries.length)).toEqual([2]);
  });

  it('reads a large prefix by pages at one revision, each key once', async () => {
    const { requests, stream, snapshots, clock } = await session({ keys: 2_500 });
    stream.say(100, { created: true });
    await clock.advance(0);
    expect(requests).toEqual([
      [undefined, 1_000],
      ['100', 1_000],
      ['100', 1_000],
    ]);
    const keys = (snapshots[0] ?? []).map(({ key }) => key.toString());
    expect(new Set(keys).size).toBe(2_500);
    expect(keys).toEqual([...keys].sort());
  });

  it('tells a removal from a put', async () => {
    const { stream, batches } = await liveSession();
    const kv = { key: Buffer.from('k'), value: Buffer.of(), mod_revision: '101' };
    stream.say(101, { events: [{ type: 'Delete', kv }] });
    expect(batches).toEqual([[{ key: Buffer.from('k'), value: undefined }]]);
  });

  it('hands every batch on whole, in order', async () => {
    const { stream, batches } = await liveSession();
    stream.change(101, 101, 102);
    stream.change(105);
    expect(batches.map((batch) => batch.map(({ key }) => key.toString()))).toEqual([
      ['k101', 'k101', 'k102'],
      ['k105'],
    ]);
  });

  it('asks for a sign of life after 2 s of silence, and lives on as long as there is one', async () => {
    const { clock, stream, ...world } = await liveSession();
    for (let beat = 1; beat <= 50; beat++) {
      await clock.advance(2_000);
      expect(stream.sent.filter((request) => 'progress_request' in request)).toHaveLength(beat);
      await clock.advance(1_500);
      stream.say(100);
    }
    expect(world.cause).toBeUndefined();
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
    const stream = new FakeStream();
    let cause: string | undefined;
    runSession({
      client: fakeClient(0, stream).client,
      keysBegin: '/p/s/',
      requestTimeoutMs: 1_000,
      clock,
      signal: new AbortController().signal,
      onSnapshot: () => {},
      onChanges: () => {},
    }).catch((error: Error) => {
      cause = error.message;
    });
    await clock.advance(0);
    stream.say(100, { created: true });
    await clock.advance(2_000);
    clock.skippedMs = 60_000;
    await clock.advance(2_000);
    expect(cause).toBeUndefined();
    stream.say(100);
    await clock.advance(3_999);
    expect(cause).toBeUndefined();
    clock.skippedMs += 60_000;
    await clock.advance(1);
    expect(cause).toBeUndefined();
    await clock.advance(2_000);
    expect(cause).toMatch(/silent/);
  });

  it.each<[string, (stream: FakeStream) => void, RegExp]>([
    [
      'an error',
      (stream) => stream.emit('error', new Error('14 UNAVAILABLE: gone')),
      /^14 UNAVAILABLE: gone$/,
    ],
    ['the end of the stream', (stream) => stream.emit('end'), /etcd ended the watch stream/],
    [
      'a cancel with a reason',
      (stream) => stream.say(100, { canceled: true, cancel_reason: 'no permission' }),
      /cancelled the watch: no permission/,
    ],
    [
      'a cancel for a compaction',
      (stream) => stream.say(100, { canceled: true, compact_revision: '500' }),
      /compacted up to revision 500/,
    ],
    [
      'another cluster',
      (stream) => stream.say(100, { header: { cluster_id: '8', revision: '100' } }),
      /another etcd cluster/,
    ],
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
    ['a second creation', (stream) => stream.say(100, { created: true }), /created the watch twice/],
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
    world.stream.say(99, { created: true });
    await world.clock.advance(0);
    expect(world.cause).toMatch(/at revision 99 and was at 100/);
    expect(world.snapshots).toHaveLength(0);
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
    const stream = new FakeStream();
    const ended = runSession({
      client: fakeClient(0, stream).client,
      keysBegin: '/p/s/',
      requestTimeoutMs: 1_000,
      clock,
      signal: new AbortController().signal,
      onSnapshot: () => {
        throw new Error('reader broke');
      },
      onChanges: () => {},
    });
    const checked = expect(ended).rejects.toThrow('reader broke');
    await clock.advance(0);
    stream.say(100, { created: true });
    await checked;
  });
});
