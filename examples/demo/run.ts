import { setTimeout as sleep } from 'node:timers/promises';
import { Cleanups } from '../../bench/support/cleanups.js';
import { GreeterService } from '../../generated/helloworld.js';
import type { PoolOptions } from '../../src/balancer/pool/options.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import { type TransportName, transportNamed } from '../../src/cli/transport.js';
import { Cluster, SERVICE } from './cluster.js';
import { Load } from './load.js';
import type { Observation, Target } from './observation.js';
import { observe } from './observe.js';
import { PoolLog } from './pool-log.js';
import { type DemoRegistry, openRegistry, type RegistryKind } from './registries.js';
import { poolTable } from './render.js';
import type { Screen } from './screen.js';
import type { Stage } from './stage.js';

const CALLS_PER_SECOND = 400;
const LEAST_CALLS_PER_SECOND = 300;
/** How long the first servers may take until they are found and connected, in milliseconds. */
const SET_UP_MS = 20_000;

export interface DemoReport {
  readonly program: 'demo';
  readonly registry: RegistryKind;
  /** True when every observation and every target held. */
  readonly held: boolean;
  readonly seconds: number;
  readonly calls: number;
  readonly observations: readonly Observation[];
  readonly targets: readonly Target[];
}

export interface DemoOptions {
  /** Default: etcd where there is one. */
  readonly registry: RegistryKind | undefined;
  readonly transport: TransportName;
}

/**
 * Sets the stage, makes the observations, and leaves nothing behind, however it ends.
 *
 * @throws when it cannot run; the signal's reason when it aborts.
 */
export async function runDemo(
  { registry: wanted, transport }: DemoOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<DemoReport> {
  await using cleanups = new Cleanups(signal);
  const beganAt = performance.now();
  try {
    const registry = await openRegistry(wanted, signal);
    cleanups.add(() => registry.close());
    screen.say(`The registry is ${registry.description}.`);
    const stage = await setUp(registry, transportNamed(transport), screen, signal, cleanups);
    const observations = await lookOn(stage, screen);
    stage.load.stop();
    return report(stage, observations, performance.now() - beganAt);
  } finally {
    screen.close();
  }
}

async function setUp(
  registry: DemoRegistry,
  transport: Pick<PoolOptions, 'transport'>,
  screen: Screen,
  signal: AbortSignal,
  cleanups: Cleanups,
): Promise<Stage> {
  const cluster = new Cluster(registry.forServers, signal);
  cleanups.add(() => cluster.close());
  await Promise.all([cluster.start('A'), cluster.start('B'), cluster.start('C')]);

  const pool = new Pool({
    registry: registry.registry,
    service: SERVICE,
    picker: 'round-robin',
    ...transport,
  });
  cleanups.add(() => pool.close());
  const log = new PoolLog(pool);
  await allReady(pool, 3, signal);

  const load = new Load(pool.stub(GreeterService), CALLS_PER_SECOND);
  cleanups.add(() => load.stop());
  screen.show(() => poolTable(pool.snapshot(), load, cluster));
  return { pool, log, load, cluster, registry, signal, say: (line) => screen.say(line) };
}

async function allReady(pool: Pool, servers: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + SET_UP_MS;
  while (pool.snapshot().ready < servers) {
    if (performance.now() > until) {
      const { ready, registry } = pool.snapshot();
      throw new Error(
        `${ready} of ${servers} servers connected within ${SET_UP_MS / 1000} s; registry: ${registry.kind}`,
      );
    }
    await sleep(10, undefined, { signal });
  }
}

async function lookOn(stage: Stage, screen: Screen): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  for await (const observation of observe(stage)) {
    observations.push(observation);
    screen.say(observation.held ? 'held' : 'NOT HELD');
    screen.still();
  }
  return observations;
}

function report({ registry, load }: Stage, observations: readonly Observation[], tookMs: number): DemoReport {
  const rate: Target = {
    name: 'load/calls-per-second',
    value: Math.round(load.rate),
    unit: '1/s',
    limit: LEAST_CALLS_PER_SECOND,
    held: load.rate >= LEAST_CALLS_PER_SECOND,
  };
  return {
    program: 'demo',
    registry: registry.kind,
    held: rate.held && observations.every(({ held }) => held),
    seconds: Math.round(tookMs / 100) / 10,
    calls: load.calls.length,
    observations,
    targets: [...observations.flatMap(({ targets }) => targets), rate],
  };
}
