import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { GreeterService } from '../../../generated/helloworld.js';
import { echoRequest } from '../calls.js';
import { Load, type Made } from '../load.js';
import { Restarts, SERVERS, type Stopped } from '../restarts.js';
import { atMost, type Scenario } from '../scenario.js';

const CALLS_PER_SECOND = 250;
const TIMEOUT_MS = 10_000;
/** Enough for some calls to be in flight when a server is killed. */
const SERVICE_MS = 5;
/** A client hears of the end of a connection so much later than we of the end of the process, in milliseconds. */
const NEWS_MS = 20;

function inFlight({ address, startedAt, endedAt }: Made, killed: readonly Stopped[]): boolean {
  return killed.some(
    (server) =>
      server.address === address && startedAt <= server.exitedAt + NEWS_MS && endedAt >= server.signalledAt,
  );
}

export const rollingKill: Scenario = {
  name: 'rolling-kill',
  title: 'all five servers killed by SIGKILL and started again, one every 2 s, three times over',
  seconds: 30,
  limits: {
    'idempotent-failed': atMost(0, 'calls'),
    'others-failed-not-in-flight': atMost(0, 'calls'),
  },
  async run(stage, seconds) {
    const etcd = await stage.etcd();
    const restarts = await Restarts.start(stage, etcd, { delayMs: SERVICE_MS });
    const pool = await stage.pool(SERVERS, {
      registry: stage.registry(etcd),
      methods: { '/evenkeel.echo.v1.Echo/*': { idempotent: true } },
    });
    const echo = pool.stub(EchoService);
    const greeter = pool.stub(GreeterService);
    const idempotent = new Load(stage, CALLS_PER_SECOND, () =>
      echo.unary(echoRequest(), { timeoutMs: TIMEOUT_MS }),
    );
    const others = new Load(stage, CALLS_PER_SECOND, () =>
      greeter.sayHello({ name: 'soak' }, { timeoutMs: TIMEOUT_MS }),
    );
    await stage.wait(1_000);
    const killed = await restarts.rounds('SIGKILL', seconds);
    await stage.wait(1_000);
    await idempotent.stop();
    await others.stop();

    if (idempotent.firstFailure !== undefined) stage.say(`the first that failed: ${idempotent.firstFailure}`);
    const surplus = others.failures.filter((call) => !inFlight(call, killed));
    for (const { address, code } of surplus.slice(0, 3)) stage.say(`not in flight: ${code} at ${address}`);
    return {
      calls: idempotent.calls.length + others.calls.length,
      kills: killed.length,
      'idempotent-failed': idempotent.failures.length,
      'others-failed': others.failures.length,
      'others-failed-not-in-flight': surplus.length,
    };
  },
};
