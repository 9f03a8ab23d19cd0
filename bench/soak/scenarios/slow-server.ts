import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { PickerName } from '../../../src/balancer/pickers/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import type { ServerProcess } from '../../../test/support/server-process.js';
import { echoRequest } from '../calls.js';
import { Load, latencyMs } from '../load.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const CALLS_PER_SECOND = 500;
const SERVICE_MS = 20;
const SLOWER = 20;
const PICKERS = ['peak-ewma', 'least-pending', 'power-of-two'] as const satisfies PickerName[];

interface Result {
  readonly p95: number;
  readonly p99: number;
  /** Of all calls, how many the first server had, in per cent. */
  readonly firstShare: number;
}

async function measure(
  stage: Stage,
  servers: readonly ServerProcess[],
  picker: PickerName,
  seconds: number,
): Promise<Result> {
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = await stage.pool(servers.length, { registry, picker, outlierDetection: false });
  const echo = pool.stub(EchoService);
  const load = new Load(stage, CALLS_PER_SECOND, () => echo.unary(echoRequest()));
  await stage.wait(seconds * 1000);
  await load.stop();
  const first = pool.snapshot().subchannels.find(({ endpoint }) => endpoint.address === servers[0]!.address)!;
  return {
    p95: latencyMs(load.calls, 0.95),
    p99: latencyMs(load.calls, 0.99),
    firstShare: (100 * first.picked) / load.calls.length,
  };
}

/** By each picker in turn, beside a fleet of the four others: nothing but the slow server tells the two apart. */
export const slowServer: Scenario = {
  name: 'slow-server',
  title: `one of five servers ${SLOWER} times slower than ${SERVICE_MS} ms, without ejection or hedging`,
  seconds: 10,
  limits: {
    'peak-ewma-p99': atMost(2, 'times the p99 without it'),
    'least-pending-p95': atMost(2, 'times the p95 without it'),
    'least-pending-share': atMost(4, '% of calls'),
    'power-of-two-p95': atMost(2, 'times the p95 without it'),
    'power-of-two-share': atMost(4, '% of calls'),
  },
  async run(stage, seconds) {
    const slow = await stage.server({ delayMs: SERVICE_MS * SLOWER });
    const others = await stage.servers(4, { delayMs: SERVICE_MS });
    const rows: (string | number)[][] = [];
    const measured: Record<string, number> = {};
    for (const picker of PICKERS) {
      const without = await measure(stage, others, picker, seconds);
      const beside = await measure(stage, [slow, ...others], picker, seconds);
      measured[`${picker}-p95`] = beside.p95 / without.p95;
      measured[`${picker}-p99`] = beside.p99 / without.p99;
      measured[`${picker}-share`] = beside.firstShare;
      rows.push([picker, without.p95, without.p99, beside.p95, beside.p99, beside.firstShare]);
    }
    stage.table(['picker', 'p95 ms without', 'p99 ms without', 'p95 ms with', 'p99 ms with', '% slow'], rows);
    return measured;
  },
};
