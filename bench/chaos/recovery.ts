import type { Client } from './client.js';
import { announcement, differences } from './etcd-table.js';
import type { Measured } from './fault.js';
import type { EtcdGateway } from './gateway.js';
import type { Scene } from './scene.js';

/** How often what is waited for is looked at, and how long it is waited for, in milliseconds. */
const LOOK_EVERY_MS = 10;
const GIVE_UP_MS = 15_000;
/** How long a change may take to reach the table of a client that has recovered, in milliseconds. */
const TOLD_WITHIN_MS = 3_500;

/** Whether the pool calls its table current, and it is what etcd holds and everything that etcd has told. */
async function equal(client: Client, gateway: EtcdGateway, scene: Scene): Promise<boolean> {
  // The revision first: to read and compare a big table costs this process more than to follow it.
  const isBehind = async () => {
    const revision = await gateway.revision().catch(() => undefined);
    return revision === undefined || client.applied.newest < revision;
  };
  if (!client.current || (await isBehind())) return false;
  const holding = await gateway.read(scene.keysBegin).catch(() => undefined);
  if (holding === undefined || client.applied.newest < holding.revision) return false;
  return differences(client.pool.snapshot(), holding).length === 0;
}

/** Milliseconds from then until the table equals etcd; undefined, and said so, when it does not come to that. */
export async function convergedMs(
  scene: Scene,
  client: Client,
  gateway: EtcdGateway,
  since: number,
): Promise<number | undefined> {
  while (!(await equal(client, gateway, scene))) {
    if (performance.now() - since > GIVE_UP_MS) {
      const holding = await gateway.read(scene.keysBegin);
      const wrong = differences(client.pool.snapshot(), holding);
      scene.say(
        `does not converge: current ${client.current}, ${wrong.length} rows wrong (${wrong[0] ?? ''})`,
      );
      return undefined;
    }
    await scene.wait(LOOK_EVERY_MS);
  }
  return Math.max(0, performance.now() - since);
}

/** What tells one registration of a key from another: its lease, and when the key was made. */
export type Registered = ReadonlyMap<string, string>;

export async function registered(scene: Scene, gateway: EtcdGateway): Promise<Registered> {
  const { entries } = await gateway.read(scene.keysBegin);
  return new Map(entries.map(({ key, lease, created }) => [key, `${lease} ${created}`]));
}

/**
 * How many of these keys are registered anew after a fault, and when the last of them was. Ends when all are
 * registered, but looks for at least as long as etcd takes to end the leases that have run out.
 *
 * @param before - as it was before the fault.
 */
export async function registrationsBack(
  scene: Scene,
  gateway: EtcdGateway,
  keys: readonly string[],
  before: Registered,
  since: number,
): Promise<Measured> {
  const back = new Set<string>();
  let lastAt: number | undefined;
  for (;;) {
    const now = await registered(scene, gateway).catch(() => undefined);
    const isBack = (key: string) => now?.has(key) === true && now.get(key) !== before.get(key);
    for (const key of keys.filter((key) => !back.has(key) && isBack(key))) {
      back.add(key);
      lastAt = performance.now();
    }
    const passed = performance.now() - since;
    const all = keys.every((key) => now?.has(key));
    if (all && (back.size === keys.length || passed > LEASES_END_MS)) break;
    if (passed > GIVE_UP_MS) {
      scene.say(`not all of ${keys.length} registrations come back`);
      return { 'registrations-back': back.size };
    }
    await scene.wait(LOOK_EVERY_MS);
  }
  return {
    'registrations-back': back.size,
    'registrations-back-ms': lastAt === undefined ? undefined : Math.max(0, lastAt - since),
  };
}

/** etcd looks for leases that have run out every 500 ms (server/lease/lessor.go), and ends them one by one. */
const LEASES_END_MS = 1_500;

/**
 * Ends the calls, and counts what every fault counts. A change that is made now must still reach the table: what has
 * died in silence shows here.
 */
export async function conclude(
  scene: Scene,
  client: Client,
  gateway: EtcdGateway,
  measured: Measured,
): Promise<Measured> {
  const { applied, load, pool } = client;
  const canary = `${scene.keysBegin}10.255.255.255:1`;
  await gateway.change([{ put: canary, value: announcement('10.255.255.255:1', { weight: 0 }) }]);
  const put = await told(scene, client, gateway);
  await gateway.change([{ remove: canary }]);
  const removed = await told(scene, client, gateway);
  const unequal = differences(pool.snapshot(), await gateway.read(scene.keysBegin)).length;
  await load.stop();
  if (load.firstFailure !== undefined) scene.say(`the first call that failed: ${load.firstFailure}`);
  const surplus = client.surplusLines;
  if (surplus.length > 0) scene.say(`the first line too many: ${surplus[0]}`);
  return {
    calls: load.made,
    'calls-failed': load.failed,
    'slowest-call-ms': load.slowestMs,
    ...measured,
    'changes-missed': applied.missed + (put ? 0 : 1) + (removed ? 0 : 1) + unequal,
    'applied-twice': applied.twice,
    'surplus-log-lines': surplus.length,
    sessions: applied.sessions,
  };
}

async function told(scene: Scene, client: Client, gateway: EtcdGateway): Promise<boolean> {
  const until = performance.now() + TOLD_WITHIN_MS;
  while (!(await equal(client, gateway, scene))) {
    if (performance.now() > until) return false;
    await scene.wait(LOOK_EVERY_MS);
  }
  return true;
}
