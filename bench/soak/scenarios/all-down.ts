import { status } from '@grpc/grpc-js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { echoRequest } from '../calls.js';
import { codesOf, Load } from '../load.js';
import { atLeast, atMost, type Scenario } from '../scenario.js';
import type { ServerOptions } from '../stage.js';

const SERVERS = 5;
const CALLS_PER_SECOND = 500;
const QUEUE = 2_000;
const TIMEOUT_MS = 60_000;
const CALM_MS = 2_000;
/** The last servers are there again, and have been found, so long after they were started. */
const AFTER_MS = 8_000;

/** The calls are idempotent: those in flight when the servers die are made again, and wait with the others. */
export const allDown: Scenario = {
  name: 'all-down',
  title: `all five servers killed, and started again after 10 s; a queue of ${QUEUE} calls`,
  seconds: 10,
  limits: {
    'calls-lost': atMost(0, 'calls'),
    'calls-queued': atLeast(QUEUE, 'calls'),
    'most-waiting': atMost(QUEUE, 'calls'),
    'refused-after-ms': atMost(5, 'ms'),
    'waiting-in-the-end': atMost(0, 'calls'),
  },
  async run(stage, seconds) {
    const etcd = await stage.etcd();
    const announced: ServerOptions = { announceTo: { kind: 'etcd', hosts: [etcd.url] }, ttlSeconds: 5 };
    const servers = await stage.servers(SERVERS, announced);
    const pool = await stage.pool(SERVERS, {
      registry: stage.registry(etcd),
      queue: { max: QUEUE },
      methods: { '/evenkeel.echo.v1.Echo/*': { idempotent: true } },
    });
    const echo = pool.stub(EchoService);
    const load = new Load(stage, CALLS_PER_SECOND, () =>
      echo.unary(echoRequest(), { timeoutMs: TIMEOUT_MS }),
    );
    await stage.wait(CALM_MS);
    const downAt = performance.now();
    await Promise.all(servers.map((server) => server.kill()));
    let most = 0;
    const until = downAt + seconds * 1000;
    while (performance.now() < until) {
      most = Math.max(most, pool.snapshot().waiting);
      await stage.wait(10);
    }
    const upAt = performance.now();
    await Promise.all(servers.map(({ address }) => stage.server({ ...announced, address })));
    await stage.wait(AFTER_MS);
    await load.stop();

    const refused = load.failures.filter(({ code }) => code === status.RESOURCE_EXHAUSTED);
    const lost = load.failures.filter(({ code }) => code !== status.RESOURCE_EXHAUSTED);
    const queued = load.calls.filter(
      ({ ok, startedAt, endedAt }) => ok && startedAt < upAt && endedAt >= upAt,
    );
    stage.say(`${load.calls.length} calls; ${JSON.stringify(codesOf(load.calls))}`);
    return {
      'calls-lost': lost.length,
      'calls-queued': queued.length,
      'calls-refused': refused.length,
      'most-waiting': most,
      // None to be refused, none refused late: so it is with few seconds.
      'refused-after-ms': refused.reduce(
        (slowest, call) => Math.max(slowest, call.endedAt - call.startedAt),
        0,
      ),
      'waiting-in-the-end': pool.snapshot().waiting,
    };
  },
};
