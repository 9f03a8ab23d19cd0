// etcd is away for a while: killed, standing still, or out of reach.
import type { EtcdProcess } from '../../../test/support/etcd.js';
import { ALWAYS, backWithin, CONVERGED, type Fault, type Measured, staleWithin } from '../fault.js';
import { EtcdGateway, reachable } from '../gateway.js';
import { conclude, convergedMs, registered, registrationsBack } from '../recovery.js';
import { BACK_MS, type Scene } from '../scene.js';

/** What takes etcd away, and what brings it back. */
interface Absence {
  /** Where the client and the servers reach etcd. */
  readonly url: string;
  begin(): Promise<void>;
  end(): Promise<void>;
}

export function killed(seconds: number): Fault {
  return {
    name: `etcd-sigkill-${seconds}s`,
    title: `etcd is killed, and back after ${seconds} s; meanwhile servers come and go`,
    limits: { ...ALWAYS, ...staleWithin(500), ...CONVERGED, ...backWithin(BACK_MS) },
    together: group(seconds),
    run: (scene) =>
      absence(scene, seconds, async (etcd) => ({
        url: etcd.url,
        begin: () => etcd.stop('SIGKILL'),
        end: () => etcd.start(),
      })),
  };
}

export function stopped(seconds: number): Fault {
  return {
    name: `etcd-sigstop-${seconds}s`,
    title: `etcd stands still for ${seconds} s (SIGSTOP), connections open; all its leases run out`,
    limits: { ...ALWAYS, ...staleWithin(6_000), ...CONVERGED, ...backWithin(BACK_MS) },
    together: group(seconds),
    run: (scene) =>
      absence(scene, seconds, async (etcd) => ({
        url: etcd.url,
        begin: async () => etcd.pause(),
        end: async () => etcd.resume(),
      })),
  };
}

export function blackHoled(seconds: number): Fault {
  return {
    name: `black-hole-${seconds}s`,
    title: `the way to etcd swallows everything for ${seconds} s, and tells nobody; all leases run out`,
    limits: { ...ALWAYS, ...staleWithin(6_000), ...CONVERGED, ...backWithin(BACK_MS) },
    together: group(seconds),
    run: (scene) =>
      absence(scene, seconds, async (etcd) => {
        const proxy = await scene.proxy(etcd);
        return {
          url: proxy.url,
          begin: async () => proxy.blackHole(),
          end: async () => proxy.heal(),
        };
      }),
  };
}

/** Faults that take equally long are done at the same time. */
function group(seconds: number): string {
  return `${seconds} s`;
}

async function absence(
  scene: Scene,
  seconds: number,
  arrange: (etcd: EtcdProcess) => Promise<Absence>,
): Promise<Measured> {
  const etcd = await scene.etcd();
  const { url, begin, end } = await arrange(etcd);
  const [leaver, ...stayers] = await scene.servers(4, [url]);
  const client = await scene.client(4, { hosts: [url] });

  const gateway = new EtcdGateway(etcd.url);
  const before = await registered(scene, gateway);

  const struckAt = performance.now();
  await begin();
  leaver!.signal('SIGTERM');
  const newcomer = await scene.server([url]);
  await scene.waitUntil(struckAt + seconds * 1000);

  const [since] = await Promise.all([reachable(new EtcdGateway(url), scene.signal), end()]);
  const keys = [...stayers, newcomer].map((server) => scene.keyOf(server));
  const [converged, registrations] = await Promise.all([
    convergedMs(scene, client, gateway, since),
    registrationsBack(scene, gateway, keys, before, since),
  ]);
  return conclude(scene, client, gateway, {
    'stale-said-ms': client.staleSaidMs(struckAt),
    'converged-ms': converged,
    ...registrations,
  });
}
