import { setTimeout as sleep } from 'node:timers/promises';
import { lost, ready, registryIs, removed } from './pool-log.js';
import { equalShare, failuresSince, type Look, unexplained } from './stage.js';

/** How long the registry is away at least, in milliseconds: longer than a server that is not heard lives in it. */
const AWAY_MS = 4_000;
/** What catching up with the registry must not exceed: three times to live, in milliseconds. */
const CATCH_UP_MS = 9_000;

export const registryStopped: Look = async (stage, findings) => {
  const { cluster, load, log, pool, registry, signal, say } = stage;
  const stoppedAt = performance.now();
  await registry.stop();
  const newcomer = await cluster.start('D');
  const stale = await log.first(stoppedAt, 'the pool to say that it is stale', registryIs('stale'), signal);
  findings.figure('staleSaidMs', stale.at - stoppedAt);
  say(`${registry.name} is stopped; the pool says that it is stale`);

  const survivors = [cluster.get('A'), cluster.get('B')];
  const victim = cluster.get('C');
  // Between two bursts of calls, when none is in flight on it: what fails now would fail for want of the registry.
  await load.quiet(signal);
  const killedAt = performance.now();
  victim.signal('SIGKILL');
  const gone = await log.first(killedAt, 'the connection to C lost', lost(victim.address), signal);
  say('D was started, and C killed');

  await equalShare(stage, findings, survivors);
  await sleep(Math.max(0, stoppedAt + AWAY_MS - performance.now()), undefined, { signal });
  await load.settledBefore(performance.now(), signal);
  const failures = failuresSince(load, stoppedAt);
  const { registry: now, subchannels } = pool.snapshot();
  findings.figure('callsSinceStopped', load.calls.filter(({ startedAt }) => startedAt >= stoppedAt).length);
  findings.figure(
    'failedInFlightOnKilled',
    failures.length - unexplained(failures, [victim], gone.at).length,
  );
  findings.figure('connectionLostMs', gone.at - killedAt);
  findings.atMost(0, 'failed', unexplained(failures, [victim], gone.at).length, 'calls');
  findings.atMost(0, 'calls-to-new-server', (await newcomer.report()).calls, 'calls');
  findings.atMost(
    0,
    'rows-of-new-server',
    subchannels.filter((row) => row.endpoint.address === newcomer.address).length,
    'rows',
  );
  findings.atLeast(1, 'said-to-be-stale', now.kind === 'stale' ? 1 : 0, 'times');
  say(`C is left out, D is not found, and the pool says: ${now.kind}`);
};

export const registryBack: Look = async (stage, findings) => {
  const { cluster, log, registry, signal, say } = stage;
  const dead = cluster.get('C');
  const newcomer = cluster.get('D');
  const before = cluster.running.map(({ pid }) => pid).join();
  const startedAt = performance.now();
  await registry.start();
  const answersAt = performance.now();
  say(`${registry.name} is back, after ${Math.round(answersAt - startedAt)} ms`);

  const [current, found, gone] = await Promise.all([
    log.first(startedAt, 'the pool to be current again', registryIs('current'), signal),
    log.first(startedAt, 'D found', ready(newcomer.address), signal),
    log.first(startedAt, 'C removed', removed(dead.address), signal),
  ]);
  findings.figure('registryStartedMs', answersAt - startedAt);
  findings.figure('currentSaidMs', current.at - startedAt);
  findings.atMost(CATCH_UP_MS, 'new-server-found-ms', found.at - startedAt, 'ms');
  findings.atMost(CATCH_UP_MS, 'dead-server-removed-ms', gone.at - startedAt, 'ms');
  say(
    `D was found after ${Math.round(found.at - startedAt)} ms, C removed after ${Math.round(gone.at - startedAt)} ms`,
  );

  await equalShare(stage, findings, cluster.running);
  const after = cluster.running.map(({ pid }) => pid).join();
  findings.atMost(0, 'restarts', before === after ? 0 : 1, 'processes');
};
