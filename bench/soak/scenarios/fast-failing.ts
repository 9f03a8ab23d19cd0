import { status } from '@grpc/grpc-js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { staticRegistry } from '../../../src/registry/static.js';
import type { ServerProcess } from '../../../test/support/server-process.js';
import { echoRequest } from '../calls.js';
import { Load, percentFailed } from '../load.js';
import { PoolWatch, pickedBy } from '../pool-watch.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const SERVERS = 6;
const CALLS_PER_SECOND = 400;
const SERVICE_MS = 20;
const CALM_MS = 1_000;
/** What a server of another service, a full one, and one behind the wrong proxy answer at once. */
const CODES = ['UNIMPLEMENTED', 'RESOURCE_EXHAUSTED', 'UNAUTHENTICATED'] as const;

interface Result {
  readonly code: string;
  readonly ejectedAfterMs: number;
  readonly failed: number;
  readonly share: number;
}

async function measure(
  stage: Stage,
  servers: readonly ServerProcess[],
  code: (typeof CODES)[number],
  seconds: number,
): Promise<Result> {
  const bad = servers[0]!;
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = await stage.pool(SERVERS, { registry, picker: 'least-pending' });
  const watch = new PoolWatch(pool);
  const echo = pool.stub(EchoService);
  const load = new Load(stage, CALLS_PER_SECOND, () => echo.unary(echoRequest()), `calls, ${code}`);
  await stage.wait(CALM_MS);
  const before = pickedBy(pool, bad.address);
  const beganAt = performance.now();
  bad.ail({ kind: 'fails', code: status[code] });
  await stage.wait(seconds * 1000);
  await load.stop();
  const calls = load.begun(beganAt, Number.POSITIVE_INFINITY);
  const share = (100 * (pickedBy(pool, bad.address) - before)) / calls.length;
  bad.ail({ kind: 'none' });
  await pool.close();
  return {
    code,
    ejectedAfterMs: watch.ejectedAfterMs(bad.address, beganAt),
    failed: percentFailed(calls),
    share,
  };
}

/** How often anybody is ejected while all servers answer alike, with an error of the application. */
async function answeringAlike(
  stage: Stage,
  servers: readonly ServerProcess[],
  seconds: number,
): Promise<number> {
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = await stage.pool(SERVERS, { registry, picker: 'least-pending' });
  const watch = new PoolWatch(pool);
  const echo = pool.stub(EchoService);
  const load = new Load(stage, CALLS_PER_SECOND, (number) =>
    echo.unary(echoRequest({ code: number % 2 === 0 ? status.NOT_FOUND : 0 })),
  );
  await stage.wait(seconds * 1000);
  await load.stop();
  await pool.close();
  const [first] = watch.ejections;
  if (first !== undefined)
    stage.say(`the first of ${watch.ejections.length} ejected for that: ${JSON.stringify(first.reason)}`);
  return watch.ejections.length;
}

/** To fail is quicker than to work: a picker that goes by load alone sends its calls to the one that fails. */
export const fastFailing: Scenario = {
  name: 'fast-failing',
  title: `one of ${SERVERS} servers answers at once with an error, always; then all answer NOT_FOUND, one call in two`,
  seconds: 5,
  limits: {
    'ejected-after-ms': atMost(1_000, 'ms'),
    failed: atMost(2, '% of calls'),
    share: atMost(2, '% of calls'),
    'ejected-for-answers-of-all': atMost(0, 'times'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS, { delayMs: SERVICE_MS });
    const results: Result[] = [];
    for (const code of CODES) results.push(await measure(stage, servers, code, seconds));
    stage.table(
      ['code', 'ejected after ms', '% failed', '% of calls to it'],
      results.map(({ code, ejectedAfterMs, failed, share }) => [code, ejectedAfterMs, failed, share]),
    );
    const most = (of: (result: Result) => number) => Math.max(...results.map(of));
    return {
      'ejected-after-ms': most(({ ejectedAfterMs }) => ejectedAfterMs),
      failed: most(({ failed }) => failed),
      share: most(({ share }) => share),
      'ejected-for-answers-of-all': await answeringAlike(stage, servers, seconds),
    };
  },
};
