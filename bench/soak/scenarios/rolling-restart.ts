import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { allOf, clientWays, echoRequest, made, stubWays } from '../calls.js';
import { type Call, Load } from '../load.js';
import { Restarts, SERVERS } from '../restarts.js';
import { atMost, type Scenario } from '../scenario.js';

const CALLS_PER_SECOND = 250;
const STREAMS_PER_SECOND = 4;
/** Each stream lasts 1.5 s: servers are told to stop while many run. */
const LONG = { count: 30, delayMs: 50 };
const TIMEOUT_MS = 10_000;
const DELAY_MS = 2;

/** All kinds of call, by stub and by generated client, one after the other. */
function allKinds(pool: Pool): Call {
  const ways = [...Object.values(stubWays(pool)), ...Object.values(clientWays(pool))];
  return (number) => made(ways[number % ways.length]!, { timeoutMs: TIMEOUT_MS }, DELAY_MS);
}

function longStreams(pool: Pool): Call {
  const stub = pool.stub(EchoService);
  return () => allOf(stub.serverStream(echoRequest(LONG)), LONG.count);
}

/** Half of the calls through a pool that goes by the registry alone, half through one that watches health, too. */
export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  title: 'all five servers restarted by SIGTERM, one every 2 s, three times over; calls of every kind',
  seconds: 30,
  limits: {
    'calls-failed': atMost(0, 'calls'),
    'streams-broken': atMost(0, 'streams'),
    'exits-not-0': atMost(0, 'servers'),
  },
  async run(stage, seconds) {
    const etcd = await stage.etcd();
    const restarts = await Restarts.start(stage, etcd, { health: true });
    const registry = stage.registry(etcd);
    const pools = [
      await stage.pool(SERVERS, { registry }),
      await stage.pool(SERVERS, { registry, healthCheck: true }),
    ];
    const calls = pools.map((pool) => new Load(stage, CALLS_PER_SECOND, allKinds(pool)));
    const streams = pools.map(
      (pool) => new Load(stage, STREAMS_PER_SECOND / 2, longStreams(pool), 'streams'),
    );
    await stage.wait(1_000);
    const stopped = await restarts.rounds('SIGTERM', seconds);
    await stage.wait(1_000);
    for (const load of [...calls, ...streams]) await load.stop();

    const sum = (loads: Load[]) => loads.reduce((failures, load) => failures + load.failures.length, 0);
    for (const { firstFailure } of [...calls, ...streams]) {
      if (firstFailure !== undefined) stage.say(`the first that failed: ${firstFailure}`);
    }
    return {
      calls: calls.reduce((made, load) => made + load.calls.length, 0),
      restarts: stopped.length,
      'calls-failed': sum(calls),
      'streams-broken': sum(streams),
      'exits-not-0': stopped.filter(({ exit }) => exit.code !== 0).length,
    };
  },
};
