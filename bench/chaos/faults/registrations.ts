// A registration loses its key, its lease, its network or its time. All servers are stricken, unless they stand still.
import type { ServerProcess } from '../../../test/support/server-process.js';
import { ALWAYS, backWithin, CONVERGED, type Fault, type Limit } from '../fault.js';
import { EtcdGateway, reachable } from '../gateway.js';
import { conclude, convergedMs, registered, registrationsBack } from '../recovery.js';
import { BACK_MS, type Scene, TTL_SECONDS } from '../scene.js';

const SERVERS = 3;
const TOGETHER = 'registrations';

/** What happens to registrations, and from when on they can be back. */
interface Stroke {
  readonly since: number;
  /** Whose keys are gone then. */
  readonly stricken: readonly ServerProcess[];
}

interface Setting {
  readonly scene: Scene;
  readonly gateway: EtcdGateway;
  readonly servers: readonly ServerProcess[];
  /** Between the servers and etcd. */
  readonly way: Awaited<ReturnType<Scene['proxy']>>;
}

interface Options {
  readonly title: string;
  /** How many registrations are stricken. */
  readonly stricken: number;
  /** How long a call may take, where a server stands still, in milliseconds. */
  readonly callTimeoutMs?: number;
  readonly strike: (setting: Setting) => Promise<Stroke>;
}

function registration(name: string, { title, stricken, callTimeoutMs, strike }: Options): Fault {
  const back: Limit = { bound: 'at least', limit: stricken, unit: 'registrations' };
  return {
    name: `registration-${name}`,
    title,
    limits: { ...ALWAYS, ...CONVERGED, 'registrations-back': back, ...backWithin(BACK_MS) },
    together: TOGETHER,
    async run(scene) {
      const etcd = await scene.etcd();
      const gateway = new EtcdGateway(etcd.url);
      const way = await scene.proxy(etcd);
      const servers = await scene.servers(SERVERS, [way.url]);
      const client = await scene.client(SERVERS, {
        hosts: [etcd.url],
        ...(callTimeoutMs !== undefined && { callTimeoutMs }),
      });
      const before = await registered(scene, gateway);
      const stroke = await strike({ scene, gateway, servers, way });
      const keys = stroke.stricken.map((server) => scene.keyOf(server));
      const registrations = await registrationsBack(scene, gateway, keys, before, stroke.since);
      const converged = await convergedMs(scene, client, gateway, performance.now());
      return conclude(scene, client, gateway, { 'converged-ms': converged, ...registrations });
    },
  };
}

export const registrations: readonly Fault[] = [
  registration('key-deleted', {
    title: 'an operator deletes the keys of all servers, while their leases live',
    stricken: SERVERS,
    async strike({ scene, gateway, servers }) {
      const since = performance.now();
      await gateway.removeAll(scene.keysBegin);
      return { since, stricken: servers };
    },
  }),
  registration('lease-revoked', {
    title: 'the leases of all servers are revoked',
    stricken: SERVERS,
    async strike({ scene, gateway, servers }) {
      const { entries } = await gateway.read(scene.keysBegin);
      const since = performance.now();
      await Promise.all(entries.map(({ lease }) => gateway.revoke(lease)));
      return { since, stricken: servers };
    },
  }),
  registration('partition', {
    title: `the servers cannot reach etcd for twice their time to live, ${2 * TTL_SECONDS} s`,
    stricken: SERVERS,
    async strike({ scene, gateway, servers, way }) {
      way.blackHole();
      await scene.wait(2 * TTL_SECONDS * 1000);
      await mustBeGone(scene, gateway, servers);
      way.heal();
      return { since: await reachable(new EtcdGateway(way.url), scene.signal), stricken: servers };
    },
  }),
  registration('process-stopped', {
    title: `a server stands still for twice its time to live, ${2 * TTL_SECONDS} s (SIGSTOP)`,
    stricken: 1,
    // Calls that it had accepted are answered when it goes on.
    callTimeoutMs: 4 * TTL_SECONDS * 1000,
    async strike({ scene, gateway, servers }) {
      const stopped = servers.slice(0, 1);
      for (const server of stopped) server.signal('SIGSTOP');
      await scene.wait(2 * TTL_SECONDS * 1000);
      await mustBeGone(scene, gateway, stopped);
      for (const server of stopped) server.signal('SIGCONT');
      return { since: performance.now(), stricken: stopped };
    },
  }),
];

async function mustBeGone(
  scene: Scene,
  gateway: EtcdGateway,
  servers: readonly ServerProcess[],
): Promise<void> {
  const { entries } = await gateway.read(scene.keysBegin);
  const left = servers.filter((server) => entries.some(({ key }) => key === scene.keyOf(server)));
  if (left.length > 0) throw new Error(`${left.length} leases have not run out`);
}
