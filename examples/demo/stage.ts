import type { Pool } from '../../src/balancer/pool/pool.js';
import type { ServerProcess } from '../../test/support/server-process.js';
import type { Cluster } from './cluster.js';
import { answersBy, type Call, type Load, spread } from './load.js';
import type { Findings } from './observation.js';
import type { PoolLog } from './pool-log.js';
import type { DemoRegistry } from './registries.js';

/** What the observations are made on: servers that run and are found, and calls that flow. */
export interface Stage {
  readonly pool: Pool;
  readonly log: PoolLog;
  readonly load: Load;
  readonly cluster: Cluster;
  readonly registry: DemoRegistry;
  /** Aborts when the demo is interrupted. */
  readonly signal: AbortSignal;
  /** One line for who looks on. */
  readonly say: (line: string) => void;
}

/** Looks at one thing, and notes what it finds. Throws NotSeen when what it waits for does not come. */
export type Look = (stage: Stage, findings: Findings) => Promise<void>;

/** How many calls a share is counted over. */
const WINDOW = 600;

/**
 * Counts who answers the next 600 calls: the servers, equally, give or take one; nobody else. A call that is not
 * answered makes the sum fall short.
 */
export async function equalShare(
  { cluster, load, signal, say }: Stage,
  findings: Findings,
  servers: readonly ServerProcess[],
): Promise<readonly Call[]> {
  const calls = await load.window(WINDOW, signal);
  const answers = answersBy(
    calls,
    servers.map(({ address }) => address),
    (address) => cluster.nameOf(address),
  );
  const answered = Object.values(answers).reduce((sum, count) => sum + count, 0);
  findings.figure('calls', calls.length);
  findings.figure('exampleFailure', calls.find(({ error }) => error !== undefined)?.error?.message);
  findings.figure('answers', answers);
  findings.atMost(1, 'spread', spread(answers), 'calls');
  findings.atMost(0, 'unanswered', calls.length - answered, 'calls');
  const shares = Object.entries(answers).map(([name, count]) => `${name} ${count}`);
  say(`the next ${calls.length} calls: ${shares.join(', ')}`);
  return calls;
}

/** Calls that have failed since. */
export function failuresSince(load: Load, since: number): readonly Call[] {
  return load.calls.filter(({ error, settledAt }) => error !== undefined && (settledAt as number) >= since);
}

/**
 * Those that a killed server does not explain: begun after its connection was seen to be gone, or not on it. The
 * others were in flight, and may have been processed: no balancer may send them again unasked.
 */
export function unexplained(
  failures: readonly Call[],
  killed: readonly ServerProcess[],
  goneAt: number,
): readonly Call[] {
  const dead = new Set(killed.map(({ address }) => address));
  return failures.filter(
    ({ startedAt, server }) => startedAt > goneAt || server === undefined || !dead.has(server),
  );
}

/** The latest end, in milliseconds since then; undefined of no calls. */
export function lastEndMs(calls: readonly Call[], since: number): number | undefined {
  return calls.length === 0
    ? undefined
    : Math.max(...calls.map(({ settledAt }) => settledAt as number)) - since;
}
