import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { TcpProxy } from '../../../test/support/tcp-proxy.js';
import { echoRequest } from '../calls.js';
import { codesOf, Load } from '../load.js';
import { atMost, type Scenario } from '../scenario.js';

const SERVERS = 3;
const CALLS_PER_SECOND = 200;
const DEADLINE_MS = 1_000;
const CALM_MS = 2_000;
/** A deadline has to pass until it can be known, and a connection to be made. */
const RECOVERED_MS = 4_000;

/** As when a firewall forgets its connections: nobody is told, and what is written goes nowhere. */
export const silentConnections: Scenario = {
  name: 'silent-connections',
  title: 'all connections fall silent at once, new ones can be made; deadline 1 s',
  seconds: 15,
  limits: {
    'recovered-after-ms': atMost(RECOVERED_MS, 'ms'),
    'calls-failed-after': atMost(0, 'calls'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS);
    const proxies: TcpProxy[] = [];
    for (const { address } of servers) {
      const proxy = await TcpProxy.start(() => Number(address.split(':').at(-1)));
      stage.atEnd(() => proxy.close());
      proxies.push(proxy);
    }
    const registry = staticRegistry(proxies.map(({ port }) => `127.0.0.1:${port}`));
    const pool = await stage.pool(SERVERS, { registry });
    const echo = pool.stub(EchoService);
    const load = new Load(stage, CALLS_PER_SECOND, () =>
      echo.unary(echoRequest(), { timeoutMs: DEADLINE_MS }),
    );
    await stage.wait(CALM_MS);
    const silentAt = performance.now();
    for (const proxy of proxies) proxy.silence();
    await stage.wait(seconds * 1000);
    await load.stop();
    stage.say(`${load.calls.length} calls; ${JSON.stringify(codesOf(load.calls))}`);
    const failed = load.failures.map(({ startedAt }) => startedAt - silentAt);
    return {
      calls: load.calls.length,
      'calls-failed': failed.length,
      'recovered-after-ms': Math.max(0, ...failed),
      'calls-failed-after': failed.filter((at) => at > RECOVERED_MS).length,
    };
  },
};
