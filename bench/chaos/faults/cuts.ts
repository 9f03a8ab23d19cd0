// The connection is reset again and again, in the middle of an answer.
import { type Random, seededRandom } from '../../../src/base/random.js';
import type { TcpProxy } from '../../../test/support/tcp-proxy.js';
import { Bulk, burst } from '../bulk.js';
import type { Client } from '../client.js';
import { ALWAYS, CONVERGED, type Fault, type Measured } from '../fault.js';
import { EtcdGateway } from '../gateway.js';
import { conclude, convergedMs } from '../recovery.js';
import type { Scene } from '../scene.js';

export interface CutOptions {
  readonly cuts: number;
  /** Endpoints in etcd, and changes in a burst. */
  readonly size: number;
}

const SERVERS = 3;
/** Less than an endpoint takes in a snapshot, or a change in a burst: a cut within this much is in the middle. */
const LEAST_BYTES = 120;
/** How long a session may take to begin, back-off included, in milliseconds. */
const LIVE_MS = 10_000;

export function cutPaging({ cuts, size }: CutOptions): Fault {
  return {
    name: 'cut-paging',
    title: `the connection is cut ${cuts} times while the pages of a snapshot of ${size} endpoints are read`,
    limits: { ...ALWAYS, ...CONVERGED, 'cuts-in-between': { bound: 'at least', limit: cuts, unit: 'cuts' } },
    run: (scene) =>
      cutting(scene, size, async ({ client, gateway, proxy, bulk, random }) => {
        let inBetween = 0;
        for (let i = 0; i < cuts; i++) {
          const { sessions } = client.applied;
          const cut = nextCut(scene, proxy, 1 + random(size * LEAST_BYTES));
          if (i === 0) proxy.cut();
          // While a snapshot is read and cut, what it is a snapshot of changes.
          await Promise.all([cut, burst(gateway, bulk.changes(100))]);
          if (client.applied.sessions === sessions) inBetween++;
        }
        return inBetween;
      }),
  };
}

export function cutBursts({ cuts, size }: CutOptions): Fault {
  return {
    name: 'cut-bursts',
    title: `the connection is cut ${cuts} times, each time in a live burst of ${size} changes`,
    limits: { ...ALWAYS, ...CONVERGED, 'cuts-in-between': { bound: 'at least', limit: cuts, unit: 'cuts' } },
    run: (scene) =>
      cutting(scene, size, async ({ client, gateway, proxy, bulk, random }) => {
        let inBetween = 0;
        for (let i = 0; i < cuts; i++) {
          const { sessions } = client.applied;
          const bursting = burst(gateway, bulk.changes(size));
          await nextCut(scene, proxy, 1 + random(size * LEAST_BYTES));
          const { newest } = client.applied;
          await bursting;
          if (newest < (await gateway.revision())) inBetween++;
          await live(scene, client, sessions);
        }
        return inBetween;
      }),
  };
}

interface Setting {
  readonly client: Client;
  readonly gateway: EtcdGateway;
  readonly proxy: TcpProxy;
  readonly bulk: Bulk;
  readonly random: Random;
}

async function cutting(
  scene: Scene,
  size: number,
  cut: (setting: Setting) => Promise<number>,
): Promise<Measured> {
  const etcd = await scene.etcd();
  const gateway = new EtcdGateway(etcd.url);
  const proxy = await scene.proxy(etcd);
  const bulk = new Bulk(scene.keysBegin, { size });
  await Promise.all([burst(gateway, bulk.all()), scene.announcedServers(SERVERS, gateway)]);
  const client = await scene.client(SERVERS + size, { hosts: [proxy.url] });
  const struckAt = performance.now();
  const inBetween = await cut({ client, gateway, proxy, bulk, random: seededRandom(1) });
  const converged = await convergedMs(scene, client, gateway, performance.now());
  // In a session that is not cut, what is lost is not made up for by the snapshot of the next.
  await burst(gateway, bulk.changes(size));
  return conclude(scene, client, gateway, {
    'stale-said-ms': client.staleSaidMs(struckAt),
    'converged-ms': converged,
    'cuts-in-between': inBetween,
  });
}

/** Waits until the connection has been cut after so many bytes more. */
async function nextCut(scene: Scene, proxy: TcpProxy, bytes: number): Promise<void> {
  const { cuts } = proxy;
  proxy.cutAfter(bytes);
  while (proxy.cuts === cuts) await scene.wait(1);
}

/** Waits until another session has begun. */
async function live(scene: Scene, client: Client, sessions: number): Promise<void> {
  const until = performance.now() + LIVE_MS;
  while (client.applied.sessions === sessions || !client.current) {
    if (performance.now() > until) throw new Error(`no session within ${LIVE_MS} ms`);
    await scene.wait(5);
  }
}
