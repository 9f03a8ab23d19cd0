import { status } from '@grpc/grpc-js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import { staticRegistry } from '../../../src/registry/static.js';
import type { ServerProcess } from '../../../test/support/server-process.js';
import { echoRequest } from '../calls.js';
import { Load, percentFailed } from '../load.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const SERVERS = 5;
const CALLS_PER_SECOND = 500;
const CALM_MS = 2_000;

interface Result {
  /** From its first bad answer, or what may have been that, to its ejection; infinite without one. */
  readonly ejectedAfterMs: number;
  /** Of the calls since then: in per cent. */
  readonly failed: number;
  readonly share: number;
}

async function measure(
  stage: Stage,
  servers: readonly ServerProcess[],
  options: Pick<PoolOptions, 'picker' | 'outlierDetection'>,
  seconds: number,
): Promise<Result> {
  const bad = servers[0]!;
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = await stage.pool(SERVERS, { registry, ...options });
  let ejectedAt = Number.POSITIVE_INFINITY;
  void (async () => {
    for await (const { kind } of pool.events()) {
      if (kind === 'ejected') ejectedAt = Math.min(ejectedAt, performance.now());
    }
  })();
  const picked = () =>
    pool.snapshot().subchannels.find(({ endpoint }) => endpoint.address === bad.address)!.picked;
  const echo = pool.stub(EchoService);
  const load = new Load(stage, CALLS_PER_SECOND, () => echo.unary(echoRequest()));
  await stage.wait(CALM_MS);
  const before = picked();
  const beganAt = performance.now();
  bad.ail({ kind: 'fails', code: status.INTERNAL });
  await stage.wait(seconds * 1000);
  await load.stop();
  const calls = load.begun(beganAt, Number.POSITIVE_INFINITY);
  const share = (100 * (picked() - before)) / calls.length;
  bad.ail({ kind: 'none' });
  await pool.close();
  return { ejectedAfterMs: ejectedAt - beganAt, failed: percentFailed(calls), share };
}

/** Beside the two that must eject it, one that may not: there peak-ewma alone must not take it for a fast one. */
export const failingServer: Scenario = {
  name: 'failing-server',
  title: 'one of five servers begins to answer INTERNAL at once, always',
  seconds: 10,
  limits: {
    'ejected-after-ms': atMost(1_000, 'ms'),
    'round-robin-failed': atMost(0.5, '% of calls'),
    'peak-ewma-failed': atMost(0.5, '% of calls'),
    'peak-ewma-share-unejected': atMost(100 / SERVERS, '% of calls'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS);
    const roundRobin = await measure(stage, servers, { picker: 'round-robin' }, seconds);
    const peakEwma = await measure(stage, servers, { picker: 'peak-ewma' }, seconds);
    const alone = await measure(stage, servers, { picker: 'peak-ewma', outlierDetection: false }, seconds);
    return {
      'ejected-after-ms': roundRobin.ejectedAfterMs,
      'round-robin-failed': roundRobin.failed,
      'peak-ewma-failed': peakEwma.failed,
      'peak-ewma-share-unejected': alone.share,
    };
  },
};
