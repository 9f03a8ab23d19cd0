import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echoRequest } from '../calls.js';
import { Load } from '../load.js';
import { PoolWatch } from '../pool-watch.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const SERVERS = 8;
const CALLS_PER_SECOND = 300;
/** Many are in flight when the client stops, and all of them are late when it goes on. */
const FLYING_MS = 500;
const DEADLINE_MS = 1_000;
const CALM_MS = 2_000;
const AFTER_MS = 2_000;
const STILL_MS = 5_000;
/** A method that takes so long, as it always does, beside one that does not; in milliseconds. */
const SLOW_MS = 3_000;
/** Fewer than one in a hundred: what is usual is what the fast ones take. */
const SLOW_PER_SECOND = 2;

/** This process stands still with calls in flight, as in a long collection, or at a breakpoint. */
async function standingStill(stage: Stage, addresses: readonly string[]): Promise<number> {
  const pool = await stage.pool(SERVERS, { registry: staticRegistry(addresses) });
  const watch = new PoolWatch(pool);
  const echo = pool.stub(EchoService);
  const load = new Load(stage, CALLS_PER_SECOND, () =>
    echo.unary(echoRequest({ delayMs: FLYING_MS }), { timeoutMs: DEADLINE_MS }),
  );
  await stage.wait(CALM_MS);
  await stage.busy(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STILL_MS));
  await stage.wait(AFTER_MS);
  await load.stop();
  await pool.close();
  return watch.ejections.length;
}

/** By a picker that leaves a server alone while it has a slow call: nothing but that call is heard of it then. */
async function slowBesideFast(
  stage: Stage,
  addresses: readonly string[],
  seconds: number,
): Promise<{ readonly ejections: number; readonly failed: number }> {
  const pool = await stage.pool(SERVERS, { registry: staticRegistry(addresses), picker: 'least-pending' });
  const watch = new PoolWatch(pool);
  const echo = pool.stub(EchoService);
  const fast = new Load(stage, CALLS_PER_SECOND, () => echo.unary(echoRequest()));
  await stage.wait(CALM_MS);
  const slow = new Load(
    stage,
    SLOW_PER_SECOND,
    () => echo.unary(echoRequest({ delayMs: SLOW_MS })),
    'slow calls',
  );
  await stage.wait(seconds * 1000);
  for (const load of [slow, fast]) await load.stop();
  await pool.close();
  return { ejections: watch.ejections.length, failed: slow.failures.length + fast.failures.length };
}

/** What this process, or the method, is to blame for is held against no server. */
export const notTheirFault: Scenario = {
  name: 'not-their-fault',
  title: `${SERVERS} healthy servers: their client stands still for 5 s; calls of 3 s beside fast ones`,
  seconds: 15,
  limits: {
    'ejected-for-standing-still': atMost(0, 'times'),
    'ejected-for-slow-calls': atMost(0, 'times'),
    'calls-failed': atMost(0, 'calls'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS);
    const addresses = servers.map(({ address }) => address);
    const still = await standingStill(stage, addresses);
    const { ejections, failed } = await slowBesideFast(stage, addresses, seconds);
    return {
      'ejected-for-standing-still': still,
      'ejected-for-slow-calls': ejections,
      'calls-failed': failed,
    };
  },
};
