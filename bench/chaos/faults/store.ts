// The store itself: its history is compacted away, its data is lost, it changes very much at once.
import { Bulk, burst } from '../bulk.js';
import type { Client } from '../client.js';
import { ALWAYS, backWithin, CONVERGED, type Fault, type Limit, staleWithin } from '../fault.js';
import { EtcdGateway, reachable } from '../gateway.js';
import { conclude, convergedMs, registered, registrationsBack } from '../recovery.js';
import { BACK_MS } from '../scene.js';

const SERVERS = 3;

/** The servers that could be called at every moment of a wipe. */
const KEPT = {
  'servers-kept': { bound: 'at least', limit: SERVERS, unit: 'servers' },
} as const satisfies Record<string, Limit>;

export const compacted: Fault = {
  name: 'compaction',
  title: 'history is compacted while the client is cut off, then again and again while it reads a snapshot',
  limits: { ...ALWAYS, ...staleWithin(6_000), ...CONVERGED },
  async run(scene) {
    const etcd = await scene.etcd();
    const gateway = new EtcdGateway(etcd.url);
    const proxy = await scene.proxy(etcd);
    const bulk = new Bulk(scene.keysBegin, { size: 5_000 });
    await Promise.all([burst(gateway, bulk.all()), scene.announcedServers(SERVERS, gateway)]);
    const client = await scene.client(SERVERS + 5_000, { hosts: [proxy.url] });

    const struckAt = performance.now();
    proxy.blackHole();
    proxy.cut();
    for (let i = 0; i < 5; i++) {
      await burst(gateway, bulk.changes(500));
      await gateway.compact();
    }
    proxy.heal();
    const afterAbsence = await convergedMs(scene, client, gateway, performance.now());

    proxy.cut();
    for (let i = 0; i < 20; i++) {
      await burst(gateway, bulk.changes(10));
      await gateway.compact();
    }
    const afterPaging = await convergedMs(scene, client, gateway, performance.now());
    const worst =
      afterAbsence === undefined || afterPaging === undefined
        ? undefined
        : Math.max(afterAbsence, afterPaging);
    return conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': worst,
    });
  },
};

/** Fewer than half of those announced before, so that it takes the guard to keep the others. */
const ANNOUNCED_BEFORE = 20;
const ANNOUNCED_AFTER = 5;
/** More revisions than the old store can have had. */
const REVISIONS_AFTER = 300;

export const wipedAndRefilled: Fault = {
  name: 'wipe-refilled',
  title: 'all data is lost, and other data soon past the old revision; registrations come back by themselves',
  limits: {
    ...ALWAYS,
    ...staleWithin(500),
    ...CONVERGED,
    ...backWithin(BACK_MS),
    ...KEPT,
    'rows-unconfirmed-after': { bound: 'at most', limit: 0, unit: 'rows' },
  },
  together: '5 s',
  async run(scene) {
    const etcd = await scene.etcd();
    const gateway = new EtcdGateway(etcd.url);
    const servers = await scene.servers(SERVERS, [etcd.url]);
    await burst(gateway, new Bulk(scene.keysBegin, { size: ANNOUNCED_BEFORE }).all());
    const client = await scene.client(SERVERS + ANNOUNCED_BEFORE, { hosts: [etcd.url] });
    const kept = new Kept(
      client,
      servers.map(({ address }) => address),
    );
    const old = await gateway.revision();
    const before = await registered(scene, gateway);

    const struckAt = performance.now();
    await etcd.wipe();
    const starting = etcd.start();
    const since = await reachable(gateway, scene.signal);
    const others = new Bulk(scene.keysBegin, { size: ANNOUNCED_AFTER, first: ANNOUNCED_BEFORE });
    await burst(gateway, others.all());
    for (let i = 0; i < REVISIONS_AFTER; i++) await gateway.change(others.metadataChange());
    const refilled = performance.now();
    const revision = await gateway.revision();
    if (revision <= old)
      throw new Error(`the refilled store is at revision ${revision}, the old one was at ${old}`);

    const keys = servers.map((server) => scene.keyOf(server));
    const [converged, registrations] = await Promise.all([
      convergedMs(scene, client, gateway, refilled),
      registrationsBack(scene, gateway, keys, before, since),
      starting,
    ]);
    const atLeast = kept.stop();
    const measured = await conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': converged,
      ...registrations,
      'servers-kept': atLeast,
    });
    const known = new Set(servers.map(({ address }) => address));
    const rows = client.pool.snapshot().subchannels.filter(({ endpoint }) => known.has(endpoint.address));
    return { ...measured, 'rows-unconfirmed-after': rows.filter(({ unconfirmed }) => unconfirmed).length };
  },
};

/** How long calls must still be answered after everything was lost, in milliseconds. */
const AFTER_WIPE_MS = 2_000;

export const wiped: Fault = {
  name: 'wipe-not-refilled',
  title: 'all data is lost, and nobody announces anything again; the servers live',
  limits: {
    ...ALWAYS,
    ...staleWithin(500),
    ...CONVERGED,
    ...KEPT,
    'rows-unconfirmed': { bound: 'at least', limit: SERVERS, unit: 'rows' },
  },
  together: '5 s',
  async run(scene) {
    const etcd = await scene.etcd();
    const gateway = new EtcdGateway(etcd.url);
    const servers = await scene.announcedServers(SERVERS, gateway);
    const client = await scene.client(SERVERS, { hosts: [etcd.url] });
    const kept = new Kept(
      client,
      servers.map(({ address }) => address),
    );

    const struckAt = performance.now();
    await etcd.wipe();
    const starting = etcd.start();
    const since = await reachable(gateway, scene.signal);
    const converged = await convergedMs(scene, client, gateway, since);
    await starting;
    await scene.wait(AFTER_WIPE_MS);
    const { subchannels } = client.pool.snapshot();
    const atLeast = kept.stop();
    return conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': converged,
      'servers-kept': atLeast,
      'rows-unconfirmed': subchannels.filter(({ unconfirmed }) => unconfirmed).length,
    });
  },
};

/** 3,000 values of 4 KiB and a little: 12 MiB. */
const BURST = { size: 3_000, bytes: 4 * 1024 };
/** Bigger transactions than etcd takes by default: all of it at one revision is one answer of 12 MiB. */
const BIG_TRANSACTIONS = ['--max-request-bytes=33554432', '--max-txn-ops=10000'];

export const bigBurst: Fault = {
  name: 'burst-12mib',
  title: 'changes of 12 MiB in one transaction, then of 12 MiB in many',
  limits: { ...ALWAYS, ...CONVERGED },
  async run(scene) {
    const etcd = await scene.etcd({ args: BIG_TRANSACTIONS });
    const gateway = new EtcdGateway(etcd.url);
    await scene.announcedServers(SERVERS, gateway);
    const client = await scene.client(SERVERS, { hosts: [etcd.url] });
    const bulk = new Bulk(scene.keysBegin, BURST);

    await gateway.change(bulk.all(), 30_000);
    await burst(gateway, bulk.all());
    const converged = await convergedMs(scene, client, gateway, performance.now());
    return conclude(scene, client, gateway, { 'converged-ms': converged });
  },
};

/** How often the servers that can be called are counted, in milliseconds. */
const COUNT_EVERY_MS = 5;

/** The fewest of these servers that could be called at any time while it looked. */
class Kept {
  #fewest = Number.POSITIVE_INFINITY;
  readonly #timer: NodeJS.Timeout;

  constructor(client: Client, addresses: readonly string[]) {
    const known = new Set(addresses);
    this.#timer = setInterval(() => {
      const ready = client.pool
        .snapshot()
        .subchannels.filter(({ endpoint, state }) => state.kind === 'ready' && known.has(endpoint.address));
      this.#fewest = Math.min(this.#fewest, ready.length);
    }, COUNT_EVERY_MS);
  }

  stop(): number {
    clearInterval(this.#timer);
    return this.#fewest;
  }
}
