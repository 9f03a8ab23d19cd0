// The store loses all its data, while the servers live.
import type { ServerProcess } from '../../../test/support/server-process.js';
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
    // They listen before they are registered; without them there would be nothing but endpoints of weight 0 to call.
    while ((await registered(scene, gateway)).size < SERVERS) await scene.wait(10);
    await burst(gateway, new Bulk(scene.keysBegin, { size: ANNOUNCED_BEFORE }).all());
    const client = await scene.client(SERVERS + ANNOUNCED_BEFORE, { hosts: [etcd.url] });
    const kept = scene.own(new Kept(client, servers));
    const old = await gateway.revision();
    const before = await registered(scene, gateway);

    const struckAt = performance.now();
    await etcd.wipe();
    const [since] = await Promise.all([reachable(gateway, scene.signal), etcd.start()]);
    // Looked for from now on: to refill the store takes seconds on a slow disk, and they are back meanwhile.
    const keys = servers.map((server) => scene.keyOf(server));
    const back = registrationsBack(scene, gateway, keys, before, since);
    const others = new Bulk(scene.keysBegin, { size: ANNOUNCED_AFTER, first: ANNOUNCED_BEFORE });
    const refill = async () => {
      await burst(gateway, others.all());
      for (let i = 0; i < REVISIONS_AFTER; i++) await gateway.change(others.metadataChange());
      const refilled = performance.now();
      const revision = await gateway.revision();
      if (revision <= old)
        throw new Error(`the refilled store is at revision ${revision}, the old one was at ${old}`);
      return { refilled, converged: await convergedMs(scene, client, gateway, refilled) };
    };
    const [registrations, { refilled, converged }] = await Promise.all([back, refill()]);
    const measured = await conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': converged,
      ...registrations,
      'refill-ms': refilled - since,
      'servers-kept': kept.fewest,
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
    const kept = scene.own(new Kept(client, servers));

    const struckAt = performance.now();
    await etcd.wipe();
    const [since] = await Promise.all([reachable(gateway, scene.signal), etcd.start()]);
    const converged = await convergedMs(scene, client, gateway, since);
    await scene.wait(AFTER_WIPE_MS);
    const { subchannels } = client.pool.snapshot();
    return conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': converged,
      'servers-kept': kept.fewest,
      'rows-unconfirmed': subchannels.filter(({ unconfirmed }) => unconfirmed).length,
    });
  },
};

/** Endpoints whose snapshot takes several pages. */
const MANY = 5_000;
/** Less than half of what an endpoint takes there. */
const HALF_BYTES = 50;

export const wipedInCatchUp: Fault = {
  name: 'wipe-in-catch-up',
  title: `all data is lost while the pages of a snapshot of ${MANY} endpoints are read, and other data takes its place`,
  limits: { ...ALWAYS, ...staleWithin(500), ...CONVERGED, ...KEPT },
  async run(scene) {
    const etcd = await scene.etcd();
    const gateway = new EtcdGateway(etcd.url);
    const proxy = await scene.proxy(etcd);
    const bulk = new Bulk(scene.keysBegin, { size: MANY });
    const [servers] = await Promise.all([
      scene.announcedServers(SERVERS, gateway),
      burst(gateway, bulk.all()),
    ]);
    const client = await scene.client(SERVERS + MANY, { hosts: [proxy.url] });
    const kept = scene.own(new Kept(client, servers));

    const struckAt = performance.now();
    const { cuts } = proxy;
    proxy.cutAfter(MANY * HALF_BYTES);
    proxy.cut();
    while (proxy.cuts === cuts) await scene.wait(1);
    await etcd.wipe();
    const [since] = await Promise.all([reachable(gateway, scene.signal), etcd.start()]);
    await burst(gateway, new Bulk(scene.keysBegin, { size: ANNOUNCED_AFTER, first: MANY }).all());
    const converged = await convergedMs(scene, client, gateway, since);
    return conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': converged,
      'servers-kept': kept.fewest,
    });
  },
};

/** How often the servers that can be called are counted, in milliseconds. */
const COUNT_EVERY_MS = 5;

/** The fewest of these servers that could be called at any time while it looked. */
class Kept implements AsyncDisposable {
  fewest = Number.POSITIVE_INFINITY;
  readonly #timer: NodeJS.Timeout;

  constructor(client: Client, servers: readonly ServerProcess[]) {
    const known = new Set(servers.map(({ address }) => address));
    this.#timer = setInterval(() => {
      const ready = client.pool
        .snapshot()
        .subchannels.filter(({ endpoint, state }) => state.kind === 'ready' && known.has(endpoint.address));
      this.fewest = Math.min(this.fewest, ready.length);
    }, COUNT_EVERY_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
  }
}
