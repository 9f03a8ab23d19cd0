import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echoRequest } from '../calls.js';
import { atMost, type Scenario } from '../scenario.js';

/** By server. The setting is not visible on grpc-js's public API: the pool is told it by the registry's metadata. */
const LIMITS = [10, 10, 10, 10, 5];
const SERVICE_MS = 20;
/** More than the servers take together, so that all of them are full all the time. */
const CALLERS = 2 * LIMITS.reduce((sum, limit) => sum + limit);
const SHOWN_EVERY = 500;

export const streamLimit: Scenario = {
  name: 'stream-limit',
  title: `four servers with max_concurrent_streams 10 and one with 5, the pool's limits the same; ${CALLERS} callers`,
  seconds: 10,
  limits: {
    'calls-failed': atMost(0, 'calls'),
    'running-over-limit': atMost(0, 'calls'),
    'share-off-limit': atMost(10, '% of the share by limits'),
  },
  async run(stage, seconds) {
    const servers = await Promise.all(
      LIMITS.map((limit) =>
        stage.server({ delayMs: SERVICE_MS, serverOptions: { 'grpc.max_concurrent_streams': limit } }),
      ),
    );
    const endpoints = servers.map(({ address }, i) => ({ address, metadata: { limit: String(LIMITS[i]) } }));
    const pool = await stage.pool(LIMITS.length, {
      registry: staticRegistry(endpoints),
      maxPendingPerEndpoint: ({ metadata }) => Number(metadata.limit),
    });
    const echo = pool.stub(EchoService);
    const until = performance.now() + seconds * 1000;
    let calls = 0;
    let failures = 0;
    const caller = async () => {
      while (performance.now() < until && !stage.signal.aborted) {
        await echo.unary(echoRequest()).catch(() => failures++);
        if (++calls % SHOWN_EVERY === 0) stage.progress(`${calls} calls, ${failures} failed`);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));

    const reports = await Promise.all(servers.map((server) => server.report()));
    const total = LIMITS.reduce((sum, limit) => sum + limit);
    const offLimit = reports.map(({ calls: had }, i) => Math.abs(had / calls / (LIMITS[i]! / total) - 1));
    stage.table(
      ['limit', 'calls', 'most at once'],
      reports.map(({ calls: had, mostRunning }, i) => [LIMITS[i]!, had, mostRunning]),
    );
    return {
      calls,
      'calls-failed': failures,
      'running-over-limit': Math.max(...reports.map(({ mostRunning }, i) => mostRunning - LIMITS[i]!)),
      'share-off-limit': 100 * Math.max(...offLimit),
    };
  },
};
