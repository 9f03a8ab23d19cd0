// What the session relies on in etcd3's internals and in etcd itself: to be looked at first when either is upgraded.
import type { IWatchResponse } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdClient } from '../../../src/registry/etcd/client.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { Store } from './store.js';
import { until } from './until.js';

describe("etcd3's raw watch stream", () => {
  let etcd: EtcdProcess;
  let store: Store;
  let client: EtcdClient;
  const limits = { timeoutMs: 2_000 };

  beforeAll(async () => {
    etcd = await startEtcd();
    store = new Store(etcd.url);
    client = new EtcdClient(etcdSettings({ hosts: etcd.url }));
  });
  afterAll(async () => {
    client.close();
    store.close();
    await etcd.close();
  });

  async function watch(startRevision: string) {
    const responses: IWatchResponse[] = [];
    const errors: Error[] = [];
    const stop = new AbortController();
    const stream = await client.open((raw, calls) => raw.watchClient.watch(calls), stop.signal);
    stream.on('data', (response: IWatchResponse) => responses.push(response));
    stream.on('error', (error: Error) => errors.push(error));
    stream.write({
      create_request: {
        key: Buffer.from('/w/'),
        range_end: Buffer.from('/w0'),
        start_revision: startRevision,
        progress_notify: true,
      },
    });
    return { responses, errors, stream, stop };
  }

  it('creates a watch, tells changes with their revisions, and answers progress requests', async () => {
    const { header } = await client.call(
      (raw, calls) => raw.getAll().prefix('/w/').options(calls).exec(),
      limits,
    );
    const { responses, errors, stream, stop } = await watch(String(BigInt(header.revision) + 1n));
    await until('created', () => responses.length === 1);
    expect(responses[0]).toMatchObject({ created: true, canceled: false, header, events: [] });

    await store.etcd.put('/w/a').value('1');
    await store.etcd.delete().key('/w/a');
    await until('two changes', () => responses.flatMap(({ events }) => events).length === 2);
    const revision = BigInt(header.revision);
    expect(responses.flatMap(({ events }) => events)).toMatchObject([
      { type: 'Put', kv: { key: Buffer.from('/w/a'), mod_revision: String(revision + 1n) } },
      { type: 'Delete', kv: { key: Buffer.from('/w/a'), mod_revision: String(revision + 2n) } },
    ]);

    const before = responses.length;
    stream.write({ progress_request: {} });
    await until('an answer', () => responses.length > before);
    expect(responses.at(-1)).toMatchObject({
      created: false,
      canceled: false,
      events: [],
      header: { cluster_id: header.cluster_id, revision: String(revision + 2n) },
    });

    stop.abort();
    await until('the end', () => errors.length === 1);
    expect(errors[0]).toMatchObject({ code: 1 });
  });

  it('cancels a watch from a revision that was compacted', async () => {
    await store.etcd.put('/w/b').value('1');
    const { header } = await store.etcd.put('/w/b').value('2');
    await store.etcd.kv.compact({ revision: header.revision });
    const { responses, stop } = await watch('1');
    await until('canceled', () => responses.some(({ canceled }) => canceled));
    expect(responses.at(-1)).toMatchObject({ canceled: true, compact_revision: header.revision });
    stop.abort();
  });

  it('gives all pages of one revision, whatever is written between them', async () => {
    for (const key of ['/r/a', '/r/b', '/r/c']) await store.etcd.put(key).value('old');
    const page = (start: string, revision?: string) =>
      client.call((raw, calls) => {
        const range = raw.getAll().inRange({ start, end: '/r0' }).limit(2).options(calls);
        return (revision === undefined ? range : range.revision(revision)).exec();
      }, limits);
    const first = await page('/r/');
    await store.etcd.put('/r/c').value('new');
    await store.etcd.put('/r/d').value('new');
    const second = await page('/r/b\0', first.header.revision);
    expect([first.more, second.more]).toEqual([true, false]);
    expect(second.kvs.map(({ key, value }) => `${key}=${value}`)).toEqual(['/r/c=old']);
  });
});
