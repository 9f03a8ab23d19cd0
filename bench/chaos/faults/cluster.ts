// Three members, and what can happen to one of them.
import type { EtcdProcess } from '../../../test/support/etcd.js';
import type { ServerProcess } from '../../../test/support/server-process.js';
import type { Client } from '../client.js';
import { ALWAYS, CONVERGED, type Fault, type Measured, staleWithin } from '../fault.js';
import { EtcdGateway, reachable } from '../gateway.js';
import { MemberLinks } from '../member-links.js';
import { conclude, convergedMs } from '../recovery.js';
import type { Scene } from '../scene.js';

const SERVERS = 3;
const ELECTION_MS = 10_000;

interface Member {
  readonly index: number;
  readonly id: bigint;
  readonly etcd: EtcdProcess;
  readonly gateway: EtcdGateway;
}

interface Setting {
  readonly scene: Scene;
  readonly links: MemberLinks;
  readonly client: Client;
  readonly servers: readonly ServerProcess[];
  /** The member at which the client watches. */
  readonly watched: Member;
  readonly others: readonly Member[];
  readonly hosts: readonly string[];
}

/** When it began, since when the cluster answers again, and who can be asked. */
interface Stroke {
  readonly struckAt: number;
  readonly since: number;
  readonly gateway: EtcdGateway;
}

function cluster(name: string, title: string, strike: (setting: Setting) => Promise<Stroke>): Fault {
  return {
    name: `cluster-${name}`,
    title,
    limits: { ...ALWAYS, ...staleWithin(6_000), ...CONVERGED },
    async run(scene) {
      const setting = await set(scene);
      const { client } = setting;
      const { struckAt, since, gateway } = await strike(setting);
      const converged = await convergedMs(scene, client, gateway, since);
      const measured: Measured = { 'stale-said-ms': client.staleSaidMs(struckAt), 'converged-ms': converged };
      return conclude(scene, client, gateway, measured);
    },
  };
}

export const clusters: readonly Fault[] = [
  cluster('leader-killed', 'the leader is killed, at which the client watches', async (setting) => {
    const { scene, watched, others, hosts } = setting;
    await lead(scene, watched, watched, others);
    const struckAt = performance.now();
    await watched.etcd.stop('SIGKILL');
    const gateway = others[0]!.gateway;
    const since = await reachable(gateway, scene.signal);
    await scene.server(hosts);
    return { struckAt, since: Math.max(since, performance.now()), gateway };
  }),
  cluster('rolling-restart', 'every member is restarted in turn; servers come and go', async (setting) => {
    const { scene, watched, others, servers, hosts } = setting;
    const struckAt = performance.now();
    for (const [i, { etcd }] of [watched, ...others].entries()) {
      await etcd.stop('SIGTERM');
      if (i === 1) servers[0]!.signal('SIGTERM');
      await etcd.start();
      if (i === 0) await scene.server(hosts);
    }
    const since = await reachable(watched.gateway, scene.signal);
    return { struckAt, since, gateway: watched.gateway };
  }),
  cluster(
    'member-cut-off',
    'a follower is cut off from the others, at which the client watches',
    async (setting) => {
      const { scene, links, client, watched, others, hosts } = setting;
      const [leader] = others;
      await lead(scene, leader!, watched, others);
      const struckAt = performance.now();
      links.cutOff(watched.id, watched.index);
      await scene.server(hosts);
      // The others have answered all along. What could be known, and when, is measured from where it was said.
      const staleMs = await staleSaidMs(scene, client, struckAt);
      const since = Math.max(struckAt + staleMs, await reachable(leader!.gateway, scene.signal));
      return { struckAt, since, gateway: leader!.gateway };
    },
  ),
];

async function set(scene: Scene): Promise<Setting> {
  const links = scene.own(new MemberLinks());
  const etcds = await scene.cluster(3, { peerPort: links.peerPort });
  const hosts = etcds.map(({ url }) => url);
  const ids = await new EtcdGateway(hosts[0]!).members();
  const members = etcds.map((etcd, index): Member => {
    return { index, id: ids.get(`m${index}`)!, etcd, gateway: new EtcdGateway(etcd.url) };
  });
  const servers = await scene.servers(SERVERS, hosts);
  const client = await scene.client(SERVERS, { hosts });
  const watches = await Promise.all(members.map(({ gateway }) => gateway.watches()));
  const watched = members.find((_, i) => watches[i]! > 0);
  if (watched === undefined) throw new Error('no member serves the watch');
  const others = members.filter((member) => member !== watched);
  return { scene, links, client, servers, watched, others, hosts };
}

/** Makes a member the leader. */
async function lead(scene: Scene, leader: Member, watched: Member, others: readonly Member[]): Promise<void> {
  const until = performance.now() + ELECTION_MS;
  for (;;) {
    const now = await leader.gateway.leader();
    if (now === leader.id) return;
    if (performance.now() > until) throw new Error(`no leader of choice within ${ELECTION_MS} ms`);
    const present = [watched, ...others].find(({ id }) => id === now);
    await present?.gateway.transferLeadership(leader.id).catch(() => {});
    await scene.wait(20);
  }
}

async function staleSaidMs(scene: Scene, client: Client, since: number): Promise<number> {
  for (;;) {
    const ms = client.staleSaidMs(since);
    if (ms !== undefined) return ms;
    if (performance.now() - since > ELECTION_MS) throw new Error('the pool never said that it was stale');
    await scene.wait(5);
  }
}
