import { Status } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { Recorder } from '../../src/simulator/results/recorder.js';
import { arrivals } from '../../src/simulator/scenario/arrivals.js';
import type { Plan } from '../../src/simulator/scenario/plan.js';
import type { PoolSpec } from '../../src/simulator/scenario/scenario.js';
import type { RunResult } from '../../src/simulator/simulation.js';
import type { Contestant, LiveClient } from './contestants.js';
import type { Fleet } from './fleet.js';

/** What came of a contestant, and how far behind its own plan the load was, in milliseconds: the machine's doing. */
export interface LiveResult {
  readonly result: RunResult;
  readonly latestMs: number;
}

/** One run of the scenario on real servers, in real time. */
export async function runLive(
  plan: Plan,
  pool: PoolSpec,
  contestant: Contestant,
  fleet: Fleet,
  seed: number,
  signal: AbortSignal,
): Promise<LiveResult> {
  const endpoints = plan.servers.map(({ endpoint: { weight } }, i) => ({
    address: fleet.addresses[i]!,
    weight,
  }));
  const client = await contestant.connect(endpoints, pool);
  try {
    await fleet.begin(seed, signal);
    const recorder = new Recorder({
      servers: plan.servers.length,
      fromMs: plan.warmUpMs,
      untilMs: plan.durationMs,
    });
    const latestMs = await load(plan, client, recorder, seed, signal);
    const recording = recorder.recording(plan.durationMs);
    const calls = await fleet.calls(signal);
    const result = {
      picker: contestant.name,
      seed,
      ...recording,
      load: calls,
      unfinished: 0,
      connections: [],
    };
    return { result, latestMs };
  } finally {
    await client.close();
  }
}

/** Makes the calls that the simulator would make, when it would make them, and waits until all have ended. */
async function load(
  plan: Plan,
  client: LiveClient,
  recorder: Recorder,
  seed: number,
  signal: AbortSignal,
): Promise<number> {
  const stream = arrivals(plan.arrivals, seededRandom(seed));
  const beganAt = performance.now();
  const now = () => performance.now() - beganAt;
  const pending = new Set<Promise<void>>();
  let latestMs = 0;
  const call = (at: number) => {
    latestMs = Math.max(latestMs, now() - at);
    const ended = client.call(plan.timeoutMs).then((code) => {
      // grpc-js ends a call a moment after its deadline, and some before: the simulator's end is the deadline itself.
      const late = code === Status.DEADLINE_EXCEEDED;
      recorder.ended(at, late ? Math.max(now(), at + plan.timeoutMs) : now(), code);
      pending.delete(ended);
    });
    pending.add(ended);
  };
  while (stream.nextAt < plan.durationMs && !signal.aborted) {
    const wait = stream.nextAt - now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    for (; stream.nextAt <= now() && stream.nextAt < plan.durationMs; stream.advance()) call(stream.nextAt);
  }
  await Promise.all(pending);
  signal.throwIfAborted();
  return latestMs;
}
