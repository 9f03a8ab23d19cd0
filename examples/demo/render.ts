import type { PoolSnapshot, RegistryState } from '../../src/balancer/pool/snapshot.js';
import { printable } from '../../src/base/printable.js';
import type { Cluster } from './cluster.js';
import type { Load } from './load.js';
import type { DemoReport } from './run.js';

/** The pool as it is now, a line a server. */
export function poolTable(snapshot: PoolSnapshot, load: Load, cluster: Cluster): string {
  const head =
    `${Math.round(load.rate)} calls/s   begun ${load.calls.length}   failed ${load.failed}` +
    `   waiting ${snapshot.waiting}   registry ${describeRegistry(snapshot.registry)}`;
  const rows = snapshot.subchannels
    .map(({ endpoint: { address }, state, pending, picked }) => [
      cluster.nameOf(address),
      address,
      state.kind,
      String(pending),
      String(picked),
    ])
    .sort(([a = ''], [b = '']) => a.localeCompare(b));
  return `${head}\n${columns([['', 'address', 'state', 'pending', 'calls'], ...rows])}`;
}

/** The observations: whether each held, what was claimed, and what was seen. */
export function closingTable({ observations, held, registry, calls, seconds }: DemoReport): string {
  const rows = observations.map(({ id, claim, held, figures }) => {
    const seen = Object.entries(figures).map(([name, value]) => `${name} ${shortly(value)}`);
    return `${held ? 'held    ' : 'NOT HELD'}  (${id}) ${claim}\n              ${printable(seen.join(', '))}`;
  });
  const verdict = held ? 'All held' : 'NOT all held';
  return `${rows.join('\n')}\n${verdict}: ${calls} calls in ${seconds} s, registry ${registry}.`;
}

function describeRegistry(state: RegistryState): string {
  return state.kind === 'stale' ? printable(`STALE: ${state.cause.message}`) : state.kind;
}

function shortly(value: unknown): string {
  if (value === null) return 'none';
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([name, count]) => `${name}=${count}`)
    .join(' ');
}

function columns(texts: readonly (readonly string[])[]): string {
  const rows = texts.map((row) => row.map(printable));
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
