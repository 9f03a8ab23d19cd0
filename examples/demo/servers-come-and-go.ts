import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from './load.js';
import { lost, ready } from './pool-log.js';
import { equalShare, failuresSince, type Look, lastEndMs, unexplained } from './stage.js';

/** How soon the end of a connection must be seen, in milliseconds: calls go to the dead until then. */
const LOST_MS = 1_000;
/** How long calls wait while no server runs, in milliseconds, beside the time that one takes to start. */
const OUTAGE_MS = 1_000;

export const threeServers: Look = async (stage, findings) => {
  await equalShare(stage, findings, stage.cluster.running);
};

export const oneKilled: Look = async (stage, findings) => {
  const { cluster, load, log, pool, signal, say } = stage;
  const victim = cluster.get('B');
  // With calls in flight on it: what they come to is to be seen.
  while (
    !pool.snapshot().subchannels.some((row) => row.endpoint.address === victim.address && row.pending > 0)
  ) {
    await sleep(1, undefined, { signal });
  }
  const killedAt = performance.now();
  await victim.kill();
  const gone = await log.first(killedAt, 'the connection to B lost', lost(victim.address), signal);
  say(`B was killed; its connection was seen to be gone after ${Math.round(gone.at - killedAt)} ms`);

  await equalShare(stage, findings, cluster.running);
  await load.settledBefore(gone.at, signal);
  const failures = failuresSince(load, killedAt);
  // Later than this it is the end of the lease that takes the server out, and no merit of the pool's.
  findings.atMost(LOST_MS, 'connection-lost-ms', gone.at - killedAt, 'ms');
  findings.figure('failed', failures.length);
  findings.figure('lastFailureMs', lastEndMs(failures, killedAt) ?? null);
  const inFlight = failures.length - unexplained(failures, [victim], gone.at).length;
  findings.atMost(0, 'failed-not-in-flight', failures.length - inFlight, 'calls');
  say(`failed: ${inFlight} that were in flight on B when it died, ${failures.length - inFlight} others`);
};

export const oneStartedAgain: Look = async (stage, findings) => {
  const { cluster, log, signal, say } = stage;
  const startedAt = performance.now();
  const server = await cluster.start('B');
  await log.first(startedAt, 'the connection to B', ready(server.address), signal);

  await equalShare(stage, findings, cluster.running);
  const { firstCallAfterMs } = await server.report();
  findings.figure('listeningToFirstCallMs', firstCallAfterMs);
  say(`B had its first call ${Math.round(firstCallAfterMs ?? Number.NaN)} ms after it listened`);
};

export const allKilled: Look = async (stage, findings) => {
  const { cluster, load, log, pool, signal, say } = stage;
  const victims = cluster.running;
  const killedAt = performance.now();
  await Promise.all(victims.map((victim) => victim.kill()));
  const gone = await Promise.all(
    victims.map(({ address }) =>
      log.first(killedAt, `the connection to ${address} lost`, lost(address), signal),
    ),
  );
  const goneAt = Math.max(...gone.map(({ at }) => at));
  await sleep(OUTAGE_MS, undefined, { signal });
  say(`all are dead; ${pool.snapshot().waiting} calls wait; starting A`);

  const startedAt = performance.now();
  const server = await cluster.start('A');
  const back = await log.first(startedAt, 'the connection to A', ready(server.address), signal);
  await load.settledBefore(back.at, signal);
  const waited = load.calls.filter((call) => call.startedAt > goneAt && call.startedAt <= back.at);
  const { received } = await server.report();
  const order = orderOf(waited, received);

  const failures = failuresSince(load, killedAt);
  findings.figure('failedInFlight', failures.length);
  findings.figure(
    'longestWaitMs',
    Math.max(...waited.map((call) => (call.settledAt as number) - call.startedAt)),
  );
  findings.figure('answeredMs', lastEndMs(waited, back.at));
  findings.atLeast(1, 'waited', waited.length, 'calls');
  findings.atMost(0, 'lost', waited.filter(({ error }) => error !== undefined).length, 'calls');
  findings.atMost(0, 'failed-not-in-flight', unexplained(failures, victims, goneAt).length, 'calls');
  findings.atMost(0, 'not-received-once', order.notOnce, 'calls');
  findings.atMost(0, 'out-of-order', order.overtaken, 'calls');
  say(`${waited.length} calls had waited; A received them in order: ${order.overtaken === 0 ? 'yes' : 'no'}`);
};

/** How the server received the calls: how many not exactly once, and how many after one that came later. */
function orderOf(
  calls: readonly Call[],
  received: readonly number[],
): { notOnce: number; overtaken: number } {
  const times = new Map(calls.map(({ number }) => [number, 0]));
  let overtaken = 0;
  let latest = -1;
  for (const number of received) {
    const before = times.get(number);
    if (before !== undefined) times.set(number, before + 1);
    if (before !== undefined && number < latest) overtaken += 1;
    latest = Math.max(latest, number);
  }
  return { notOnce: [...times.values()].filter((count) => count !== 1).length, overtaken };
}
