// What the session relies on in the client library and in etcd itself: to be looked at first when either is upgraded.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../../src/registry/etcd/connect.js';
import type { EtcdConnection, WatchAnswer } from '../../../src/registry/etcd/port.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { etcdBinaries } from '../../support/ensure-etcd.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { Store } from './store.js';
import { until } from './until.js';

const limits = { timeoutMs: 2_000 };
const range = (prefix: string) => ({ key: Buffer.from(`${prefix}/`), rangeEnd: Buffer.from(`${prefix}0`) });

describe.each(await etcdBinaries())('a connection to %s', (binary) => {
  let etcd: EtcdProcess;
  let store: Store;
  let connection: EtcdConnection;

  beforeAll(async () => {
    etcd = await startEtcd({ binary });
    store = new Store(etcd.url);
    connection = connect(etcdSettings({ hosts: etcd.url }));
  });
  afterAll(async () => {
    connection.close();
    store.close();
    await etcd.close();
  });

  async function watch(startRevision: bigint) {
    const answers: WatchAnswer[] = [];
    const ends: Error[] = [];
    const stop = new AbortController();
    const listener = {
      onAnswer: (answer: WatchAnswer) => answers.push(answer),
      onEnd: (cause: Error) => ends.push(cause),
    };
    const stream = await connection.watch(listener, stop.signal);
    stream.send({ kind: 'create', ...range('/w'), startRevision });
    return { answers, ends, stream, stop };
  }

  it('creates a watch, tells changes with their revisions, and answers progress requests', async () => {
    const { revision, clusterId } = await connection.range(range('/w'), limits);
    const { answers, ends, stream, stop } = await watch(revision);
    await until('created', () => answers.length === 1);
    expect(answers[0]).toEqual({ kind: 'created', revision, clusterId, reason: '', events: [] });

    // Nothing was written since the watch began, and etcd answers all the same; not while it is catching up.
    await until('an answer', () => {
      stream.send({ kind: 'progress' });
      return answers.length > 1;
    });
    expect(answers[1]).toEqual({ kind: 'progress', revision, clusterId, reason: '', events: [] });

    await store.etcd.put('/w/a').value('1');
    await store.etcd.put('/w/a').value('2');
    await store.etcd.delete().key('/w/a');
    await until('three changes', () => answers.flatMap(({ events }) => events).length === 3);
    const key = Buffer.from('/w/a');
    expect(answers.flatMap(({ events }) => events)).toEqual([
      { key, value: Buffer.from('1'), revision: revision + 1n, created: true },
      { key, value: Buffer.from('2'), revision: revision + 2n, created: false },
      { key, value: undefined, revision: revision + 3n, created: false },
    ]);

    const isNews = (answer: WatchAnswer) => answer.kind === 'progress' && answer.revision === revision + 3n;
    await until('an answer', () => {
      stream.send({ kind: 'progress' });
      return answers.some(isNews);
    });

    stop.abort();
    await until('the end', () => ends.length === 1);
    expect(ends[0]).toMatchObject({ code: 1 });
  });

  it('tells once more what was changed at the revision that a watch begins with', async () => {
    await store.etcd.put('/w/again').value('1');
    const { revision } = await connection.range(range('/w'), limits);
    const { answers, stop } = await watch(revision);
    await until('the change', () => answers.flatMap(({ events }) => events).length === 1);
    expect(answers.at(-1)?.events).toMatchObject([{ key: Buffer.from('/w/again'), revision }]);
    stop.abort();
  });

  it('watches from a revision up to which was compacted, and cancels a watch from one before', async () => {
    await store.etcd.put('/w/b').value('1');
    const { header } = await store.etcd.put('/w/b').value('2');
    await store.etcd.kv.compact({ revision: header.revision });
    const at = await watch(BigInt(header.revision));
    await until('created', () => at.answers.some(({ kind }) => kind === 'created'));
    await until('an answer', () => {
      at.stream.send({ kind: 'progress' });
      return at.answers.some(({ kind }) => kind === 'progress');
    });
    expect(at.answers.every(({ kind }) => kind !== 'canceled')).toBe(true);
    at.stop.abort();

    const before = await watch(1n);
    await until('canceled', () => before.answers.some(({ kind }) => kind === 'canceled'));
    expect(before.answers.at(-1)?.reason).toMatch(/compacted/);
    before.stop.abort();
  });

  it('gives all pages of one revision, whatever is written between them', async () => {
    for (const key of ['/r/a', '/r/b', '/r/c']) await store.etcd.put(key).value('old');
    const first = await connection.range({ ...range('/r'), limit: 2 }, limits);
    expect(first).toMatchObject({ more: true, count: 3 });
    await store.etcd.put('/r/c').value('new');
    await store.etcd.put('/r/d').value('new');
    const { revision } = first;
    const rest = { ...range('/r'), key: Buffer.from('/r/b\0') };
    const second = await connection.range({ ...rest, limit: 2, revision }, limits);
    expect(second.more).toBe(false);
    expect(second.entries.map(({ key, value }) => `${key}=${value}`)).toEqual(['/r/c=old']);
    expect(await connection.range({ ...range('/r'), countOnly: true }, limits)).toMatchObject({
      entries: [],
      count: 4,
    });
  });

  it('says of each failure what kind it is', async () => {
    const failing = (call: Promise<unknown>) =>
      call.then(
        () => 'done',
        (error) => error.kind,
      );
    expect(await failing(connection.revokeLease('123', limits))).toBe('lease-gone');
    await connection.grantLease('124', 60, limits);
    expect(await failing(connection.grantLease('124', 60, limits))).toBe('lease-exists');
    expect(await connection.keepLeaseAlive('123', limits)).toBe(false);
    expect(await connection.keepLeaseAlive('124', limits)).toBe(true);
    const put = { key: Buffer.from('/p/a'), value: Buffer.from('1'), ifRevision: 0n };
    expect(await failing(connection.put({ ...put, lease: '123' }, limits))).toBe('lease-gone');
    expect(await connection.put({ ...put, lease: '124' }, limits)).toBe('put');
    expect(await connection.put({ ...put, lease: '124' }, limits)).toBe('changed');
    expect(await failing(connection.range(range('/r'), { timeoutMs: 0 }))).toBe('timed-out');
    const nobody = connect(etcdSettings({ hosts: '127.0.0.1:1' }));
    expect(await failing(nobody.range(range('/r'), limits))).toBe('unreachable');
    nobody.close();
    expect(await failing(connection.range({ ...range('/r'), revision: 1_000_000n }, limits))).toBe('refused');
  });
});
