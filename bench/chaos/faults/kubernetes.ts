// The API server of Kubernetes is away, or forgets: what that does to calls to the pods. Done where there is a
// kube-apiserver ($KUBE_APISERVER, or PATH).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryRegistry } from '../../../src/registry/memory.js';
import { findKubeApiserver, KubeApiserver } from '../../../test/support/kube-apiserver.js';
import { ServerProcess } from '../../../test/support/server-process.js';
import { TcpProxy } from '../../../test/support/tcp-proxy.js';
import { Skipped } from '../../support/program.js';
import { ALWAYS, CONVERGED, type Fault, type Measured, staleWithin } from '../fault.js';
import { EtcdGateway } from '../gateway.js';
import { KubeClient } from '../kubernetes/client.js';
import { Pods } from '../kubernetes/pods.js';
import type { Scene } from '../scene.js';

/** How long the first pods may take until they are connected, and calls are made before anything happens. */
const READY_MS = 20_000;
const CALM_MS = 500;
/** How often what is waited for is looked at, and how long it is waited for, in milliseconds. */
const LOOK_EVERY_MS = 10;
const GIVE_UP_MS = 15_000;

const { 'calls-failed': FAILED, 'surplus-log-lines': SURPLUS, 'unhandled-errors': UNHANDLED } = ALWAYS;
const LIMITS = {
  'calls-failed': FAILED,
  'surplus-log-lines': SURPLUS,
  'unhandled-errors': UNHANDLED,
  ...CONVERGED,
  'canary-missed': { bound: 'at most', limit: 0, unit: 'changes' },
} as const;

interface Stage {
  readonly scene: Scene;
  readonly server: KubeApiserver;
  readonly proxy: TcpProxy;
  readonly tokenFile: string;
}

interface Absence {
  readonly name: string;
  readonly title: string;
  readonly staleWithinMs: number;
  readonly seconds: number;
  readonly args?: readonly string[];
  /** Whether others reach the API server meanwhile, and so pods can come and go. */
  readonly reachable: boolean;
  begin(stage: Stage): Promise<void>;
  /** Resolves when the API server answers, to those whom it answered before. */
  end(stage: Stage): Promise<void>;
}

const absences: readonly Absence[] = [
  {
    name: 'kubernetes-sigkill-5s',
    title: 'the API server is killed, and back after 5 s',
    staleWithinMs: 500,
    seconds: 5,
    reachable: false,
    begin: ({ server }) => server.stop('SIGKILL'),
    end: ({ server }) => server.start(),
  },
  {
    name: 'kubernetes-restart',
    title: 'the API server is told to stop, and started again at once',
    staleWithinMs: 6_000,
    seconds: 0,
    reachable: false,
    begin: ({ server }) => server.stop('SIGTERM'),
    end: ({ server }) => server.start(),
  },
  {
    name: 'kubernetes-sigstop-10s',
    title: 'the API server stands still for 10 s (SIGSTOP), connections open',
    staleWithinMs: 6_000,
    seconds: 10,
    reachable: false,
    begin: async ({ server }) => server.pause(),
    async end({ scene, server }) {
      server.resume();
      while (!(await server.ready())) await scene.wait(LOOK_EVERY_MS);
    },
  },
  {
    name: 'kubernetes-black-hole-10s',
    title: 'the way to the API server swallows everything for 10 s; meanwhile pods come and go',
    staleWithinMs: 6_000,
    seconds: 10,
    reachable: true,
    begin: async ({ proxy }) => proxy.blackHole(),
    end: async ({ proxy }) => proxy.heal(),
  },
  {
    name: 'kubernetes-compacted',
    title:
      'the way is cut, pods come and go, and etcd forgets all that was, below an API server without a cache',
    staleWithinMs: 6_000,
    seconds: 5,
    args: ['--watch-cache=false'],
    reachable: true,
    begin: async ({ proxy }) => {
      proxy.blackHole();
      proxy.cut();
    },
    async end({ server, proxy }) {
      await new EtcdGateway(server.etcd.url).compact();
      proxy.heal();
    },
  },
  {
    name: 'kubernetes-token-expired',
    title: 'the API server comes back, and knows our token no more; a new one is in its file 5 s later',
    staleWithinMs: 6_000,
    seconds: 5,
    reachable: true,
    async begin({ server }) {
      server.tokens = ['a-new-token-of-the-chaos-program'];
      await server.stop('SIGKILL');
      await server.start();
    },
    end: async ({ server, tokenFile }) => writeFileSync(tokenFile, `${server.tokens[0]}\n`),
  },
];

export const kubernetes: readonly Fault[] = absences.map((absence) => ({
  name: absence.name,
  title: absence.title,
  limits: { ...LIMITS, ...staleWithin(absence.staleWithinMs) },
  run: (scene) => run(scene, absence),
}));

async function run(scene: Scene, { args = [], seconds, reachable, begin, end }: Absence): Promise<Measured> {
  if (findKubeApiserver() === undefined)
    throw new Skipped('no kube-apiserver: set KUBE_APISERVER to its path');
  const server = scene.own(await KubeApiserver.start({ args, signal: scene.signal }));
  const proxy = scene.own(await TcpProxy.start(() => server.port));
  const tokenFile = join(server.directory, 'token');
  writeFileSync(tokenFile, `${server.tokens[0]}\n`);
  const stage = { scene, server, proxy, tokenFile };
  const pods = new Pods(server, scene.service);
  const [leaver, ...stayers] = await Promise.all(Array.from({ length: 4 }, () => startPod(scene)));
  for (const pod of [leaver!, ...stayers]) await pods.add(pod);
  const client = scene.own(new KubeClient(server.kubeconfig(proxy.port, { tokenFile }), scene.service));
  await connected(scene, client, 4);

  const struckAt = performance.now();
  await begin(stage);
  const newcomer = await startPod(scene);
  const change = async () => {
    await Promise.all([pods.terminate(leaver!), pods.add(newcomer)]);
    leaver!.signal('SIGTERM');
  };
  if (reachable) await change();
  else leaver!.signal('SIGTERM');
  await scene.waitUntil(struckAt + seconds * 1_000);
  await end(stage);
  const since = performance.now();
  if (!reachable) await change();
  const converged = await convergedMs(scene, client, pods, since);

  const canary = { address: '127.0.0.1:1' };
  await pods.add(canary);
  const seen = await convergedMs(scene, client, pods, performance.now());
  await pods.terminate(canary);
  const gone = await convergedMs(scene, client, pods, performance.now());
  await client.load.stop();
  const { load, surplusLines } = client;
  if (load.firstFailure !== undefined) scene.say(`the first call that failed: ${load.firstFailure}`);
  if (surplusLines.length > 0) scene.say(`the first line too many: ${surplusLines[0]}`);
  return {
    calls: load.made,
    'calls-failed': load.failed,
    'slowest-call-ms': load.slowestMs,
    'stale-said-ms': client.staleSaidMs(struckAt),
    'converged-ms': converged,
    'canary-missed': Number(seen === undefined) + Number(gone === undefined),
    'surplus-log-lines': surplusLines.length,
  };
}

/** A server that ends in good order: announced to nobody who reads it, as the kubelet is what tells of a pod. */
async function startPod(scene: Scene): Promise<ServerProcess> {
  const nobody = new MemoryRegistry();
  const server = await ServerProcess.start({
    service: scene.service,
    announceTo: { kind: 'ipc' },
    leases: nobody.leases,
    lameDuckMs: 500,
    drainTimeoutMs: 2_000,
    signal: scene.signal,
  });
  scene.own({
    async [Symbol.asyncDispose]() {
      await server.kill();
      await nobody.close();
      nobody.stop();
    },
  });
  return server;
}

async function connected(scene: Scene, client: KubeClient, count: number): Promise<void> {
  const until = performance.now() + READY_MS;
  while (client.connected < count || !client.current) {
    if (performance.now() > until) throw new Error(`${client.connected} of ${count} pods connected`);
    await scene.wait(LOOK_EVERY_MS);
  }
  await scene.wait(CALM_MS);
}

/** Milliseconds from then until the table is what the API server was told; undefined when it does not come to that. */
async function convergedMs(
  scene: Scene,
  client: KubeClient,
  pods: Pods,
  since: number,
): Promise<number | undefined> {
  while (!client.current || client.addresses.join() !== pods.addresses.join()) {
    if (performance.now() - since > GIVE_UP_MS) {
      scene.say(`does not converge: current ${client.current}, ${client.addresses.join(' ')}`);
      return undefined;
    }
    await scene.wait(LOOK_EVERY_MS);
  }
  return Math.max(0, performance.now() - since);
}
