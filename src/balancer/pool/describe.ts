import type { Clock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import type { Table } from '../table/table.js';
import type { RegistryState } from './snapshot.js';

/** The state of a pool in one sentence, for the messages of its errors. */
export function describePool<L>(
  service: string,
  table: Table<L>,
  registry: RegistryState,
  waiting: number,
  clock: Clock,
): string {
  const counts = new Map<string, number>();
  let cause: Error | undefined;
  for (const { state, full } of table.rows()) {
    const kind =
      state.kind === 'ready' && full ? 'READY but full' : state.kind === 'ready' ? 'READY' : state.kind;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (state.kind === 'failed') cause = state.cause;
  }
  const endpoints = table.size === 1 ? '1 endpoint' : `${table.size} endpoints`;
  const states = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
  const parts = [`${service} has ${endpoints}${states === '' ? '' : ` (${states})`}`];
  if (cause !== undefined) parts.push(`last failure: ${cause.message}`);
  parts.push(`${waiting} waiting`);
  if (registry.kind !== 'current') {
    const since = ((clock.now() - registry.since) / 1_000).toFixed(1);
    const why = registry.cause === undefined ? '' : `: ${registry.cause.message}`;
    parts.push(`registry ${registry.kind} for ${since} s${why}`);
  }
  return parts.join('; ');
}

/** Why a call that waited until its deadline was not picked. */
export function deadlineError(description: string, endpoints: number, waitedMs: number): BalancerError {
  const waited = `Deadline exceeded after ${(waitedMs / 1_000).toFixed(3)}s waiting for a subchannel`;
  return new BalancerError(endpoints === 0 ? 'NO_ENDPOINTS' : 'DEADLINE', `${waited}: ${description}`);
}
