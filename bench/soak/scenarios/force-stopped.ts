import { status } from '@grpc/grpc-js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echoRequest } from '../calls.js';
import { codesOf, Load, percentFailed } from '../load.js';
import { PoolWatch } from '../pool-watch.js';
import { Restarts, SERVERS } from '../restarts.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const CALLS_PER_SECOND = 250;
const TIMEOUT_MS = 10_000;
/** Longer than the servers wait for their calls: each restart cancels some. */
const SERVICE_MS = 150;
const CALM_MS = 1_000;
const CANCELLING_MS = 4_000;

const idempotent = { methods: { '/evenkeel.echo.v1.Echo/*': { idempotent: true } } };

/** A server that cancels all its calls, beside four that do not. */
async function cancelling(stage: Stage): Promise<{ ejectedAfterMs: number; failed: number }> {
  const servers = await stage.servers(SERVERS);
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = await stage.pool(SERVERS, { registry });
  const watch = new PoolWatch(pool);
  const echo = pool.stub(EchoService);
  const load = new Load(stage, CALLS_PER_SECOND, () => echo.unary(echoRequest(), { timeoutMs: TIMEOUT_MS }));
  await stage.wait(CALM_MS);
  const beganAt = performance.now();
  servers[0]!.ail({ kind: 'fails', code: status.CANCELLED });
  await stage.wait(CANCELLING_MS);
  await load.stop();
  return {
    ejectedAfterMs: watch.ejectedAfterMs(servers[0]!.address, beganAt),
    failed: percentFailed(load.begun(beganAt, Number.POSITIVE_INFINITY)),
  };
}

/** A CANCELLED that a server says is not the caller's: it is a failure of the server's, as any other. */
export const forceStopped: Scenario = {
  name: 'force-stopped',
  title: 'all five servers restarted, none waits for its calls; and one that cancels every call',
  seconds: 20,
  limits: {
    'idempotent-failed': atMost(0, 'calls'),
    'canceller-ejected-after-ms': atMost(1_000, 'ms'),
    'cancelled-failed': atMost(1, '% of calls'),
  },
  async run(stage, seconds) {
    const etcd = await stage.etcd();
    const options = { delayMs: SERVICE_MS, lameDuckMs: 0, drainTimeoutMs: 0 };
    const restarts = await Restarts.start(stage, etcd, options);
    const pool = await stage.pool(SERVERS, { registry: stage.registry(etcd), ...idempotent });
    const echo = pool.stub(EchoService);
    const load = new Load(stage, CALLS_PER_SECOND, () =>
      echo.unary(echoRequest(), { timeoutMs: TIMEOUT_MS }),
    );
    await stage.wait(CALM_MS);
    const stopped = await restarts.rounds('SIGTERM', seconds);
    await stage.wait(CALM_MS);
    await load.stop();
    stage.say(`${load.calls.length} calls; ${JSON.stringify(codesOf(load.calls))}`);
    const { ejectedAfterMs, failed } = await cancelling(stage);
    return {
      calls: load.calls.length,
      restarts: stopped.length,
      'idempotent-failed': load.failures.length,
      'canceller-ejected-after-ms': ejectedAfterMs,
      'cancelled-failed': failed,
    };
  },
};
