// Nothing happens at all: leases that are kept alive write nothing, so that is every etcd whose fleet is stable.

import { ensureEtcd } from '../../../test/support/ensure-etcd.js';
import type { EtcdProcess } from '../../../test/support/etcd.js';
import { GrpcProxy } from '../../../test/support/grpc-proxy.js';
import { ALWAYS, type Fault, type Limit, type Measured } from '../fault.js';
import { EtcdGateway } from '../gateway.js';
import { conclude, registered } from '../recovery.js';
import type { Scene } from '../scene.js';

const SERVERS = 3;
/** Many times as long as a watch may be silent, in seconds. */
const SECONDS = 30;
/** Few: it may last for long. */
const CALLS_PER_SECOND = 20;

const LIMITS = {
  ...ALWAYS,
  'times-stale': { bound: 'at most', limit: 0, unit: 'times' },
  sessions: { bound: 'at most', limit: 1, unit: 'sessions' },
  'registrations-kept': { bound: 'at least', limit: SERVERS, unit: 'registrations' },
} as const satisfies Record<string, Limit>;

export const quiet: Fault = {
  name: 'quiet',
  title: 'nothing is written to etcd, for many times as long as a watch may be silent',
  limits: LIMITS,
  together: '30 s',
  run: (scene) => stayQuiet(scene, async ({ url }) => url),
};

export const quietBehindProxy: Fault = {
  name: 'quiet-behind-grpc-proxy',
  title: 'the same behind `etcd grpc-proxy`, which never answers when it is asked whether the watch lives',
  limits: LIMITS,
  together: '30 s',
  run: (scene) =>
    stayQuiet(scene, async ({ url }) => scene.own(await GrpcProxy.start(await ensureEtcd(), url)).url),
};

/** @param reach - returns where etcd is reached. */
async function stayQuiet(scene: Scene, reach: (etcd: EtcdProcess) => Promise<string>): Promise<Measured> {
  const etcd = await scene.etcd();
  const gateway = new EtcdGateway(etcd.url);
  const hosts = [await reach(etcd)];
  const servers = await scene.servers(SERVERS, hosts);
  const client = await scene.client(SERVERS, { hosts, callsPerSecond: CALLS_PER_SECOND });
  const before = await registered(scene, gateway);
  const revision = await gateway.revision();

  await scene.wait((scene.seconds ?? SECONDS) * 1_000);
  const written = (await gateway.revision()) - revision;
  if (written > 0n) throw new Error(`${written} revisions were written, and none should have been`);
  const after = await registered(scene, gateway);
  const keys = servers.map((server) => scene.keyOf(server));
  return conclude(scene, client, gateway, {
    'times-stale': client.timesStale,
    'registrations-kept': keys.filter((key) => after.get(key) === before.get(key)).length,
  });
}
