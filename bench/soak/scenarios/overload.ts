import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { AttemptMessage } from '../../../src/balancer/calls/diagnostics.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { echoRequest } from '../calls.js';
import { codesOf, Load } from '../load.js';
import { atLeast, atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const SERVERS = 5;
/** Each works on 4 calls at once, 40 ms on average: 500 calls/s in all. */
const BUSY = { kind: 'busy', concurrency: 4, meanMs: 40, maxWaiting: 4 } as const;
const CAPACITY = (SERVERS * BUSY.concurrency * 1000) / BUSY.meanMs;
/** Two more than a server works on, so that it has the next call there when it is done with one. */
const MAX_PENDING = BUSY.concurrency + 2;
const DEADLINE_MS = 1_000;
const QUEUE = 2_000;
const CALM_MS = 4_000;
const AFTER_MS = 6_000;
/** As before the overload: nobody waits in the queue for longer than this, in milliseconds. */
const WELL_MS = DEADLINE_MS / 2;
const LOOK_EVERY_MS = 50;

/** Counts the attempts after the first of their call, of all pools, while it lives. */
class Retries implements Disposable {
  made = 0;
  readonly #hear = (message: unknown) => {
    if ((message as AttemptMessage).attempt > 1) this.made++;
  };

  constructor() {
    subscribe('evenkeel:attempt:start', this.#hear);
  }

  [Symbol.dispose](): void {
    unsubscribe('evenkeel:attempt:start', this.#hear);
  }
}

/** The most that the queue held, looked at often until what it returns is called. */
function watchQueue(stage: Stage, waiting: () => number): () => number {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, waiting());
  }, LOOK_EVERY_MS);
  stage.atEnd(() => clearInterval(timer));
  return () => most;
}

export const overload: Scenario = {
  name: 'overload',
  title: `${2 * CAPACITY} calls/s to servers that can do ${CAPACITY}, deadline 1 s, times of service exponential`,
  seconds: 30,
  limits: {
    'goodput-of-capacity': atLeast(90, '%'),
    'retries-added': atMost(20, '% of calls'),
    'most-waiting': atMost(QUEUE, 'calls'),
    'recovered-after': atMost(3, 's'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS, { ailment: BUSY });
    const pool = await stage.pool(SERVERS, {
      registry: staticRegistry(servers.map(({ address }) => address)),
      picker: 'least-pending',
      maxPendingPerEndpoint: MAX_PENDING,
      queue: { max: QUEUE },
      retry: { maxAttempts: 3, codes: ['UNAVAILABLE'] },
    });
    const echo = pool.stub(EchoService);
    const most = watchQueue(stage, () => pool.snapshot().waiting);
    const load = new Load(stage, CAPACITY / 2, () => echo.unary(echoRequest(), { timeoutMs: DEADLINE_MS }));
    await stage.wait(CALM_MS);
    using retries = new Retries();
    load.rate(2 * CAPACITY);
    const beganAt = performance.now();
    await stage.wait(seconds * 1000);
    const endedAt = performance.now();
    const retried = retries.made;
    load.rate(CAPACITY / 2);
    await stage.wait(AFTER_MS);
    await load.stop();

    const during = load.begun(beganAt, endedAt);
    const good = load.calls.filter(({ ok, endedAt: at }) => ok && at >= beganAt && at < endedAt).length;
    const ill = load
      .begun(endedAt, Number.POSITIVE_INFINITY)
      .filter(({ ok, startedAt, endedAt: at }) => !ok || at - startedAt > WELL_MS);
    const lastIllAt = ill.reduce((last, { startedAt }) => Math.max(last, startedAt), endedAt);
    stage.say(`${during.length} calls, ${good} in time; others: ${JSON.stringify(codesOf(during))}`);
    return {
      'goodput-of-capacity': (100 * good) / (CAPACITY * seconds),
      'retries-added': (100 * retried) / during.length,
      'most-waiting': most(),
      'recovered-after': (lastIllAt - endedAt) / 1000,
    };
  },
};
