// The store does what stores do: it forgets its history, and changes very much at once.
import { Bulk, burst } from '../bulk.js';
import { ALWAYS, CONVERGED, type Fault, staleWithin } from '../fault.js';
import { EtcdGateway } from '../gateway.js';
import { conclude, convergedMs } from '../recovery.js';

const SERVERS = 3;

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
