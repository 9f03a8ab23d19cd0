import type { Endpoint } from '../../base/endpoint.js';
import type { TimelineSpec } from './scenario.js';
import { wrong } from './wrong.js';

/** An entry of the timeline, its servers as indices. */
export type TimelineEntry = TimelineSpec extends infer Entry
  ? Entry extends TimelineSpec
    ? Omit<Entry, 'servers'> & { readonly servers: readonly number[] }
    : never
  : never;

interface Server {
  readonly endpoint: Endpoint;
}

/** @throws BalancerError INVALID_OPTION for a timeline of which nobody can say what it means. */
export function checkTimeline(entries: readonly TimelineEntry[], servers: readonly Server[]): void {
  refuseOverlaps(entries, servers);
  refuseAbsent(entries, servers);
}

/** The servers that do not join later, by index. */
export function thereAtStart(servers: readonly Server[], entries: readonly TimelineEntry[]): number[] {
  const joiners = new Set(entries.flatMap((entry) => (entry.kind === 'join' ? entry.servers : [])));
  return [...servers.keys()].filter((server) => !joiners.has(server));
}

/** A server has one fault of a kind at a time, and comes and goes once: anything else could be meant in two ways. */
function refuseOverlaps(entries: readonly TimelineEntry[], servers: readonly Server[]): void {
  const seen = new Map<string, { entry: number; from: number; until: number }[]>();
  for (const [i, entry] of entries.entries()) {
    const lasts = 'forMs' in entry ? entry.forMs : undefined;
    const until = entry.atMs + (lasts ?? Number.POSITIVE_INFINITY);
    for (const server of entry.servers) {
      const key = `${server} ${entry.kind}`;
      const others = seen.get(key) ?? [];
      const other = others.find((one) => entry.atMs < one.until && one.from < until);
      if (other !== undefined) {
        const where = servers[server]!.endpoint.id;
        throw wrong(`timeline/${i}`, `overlaps timeline/${other.entry}: both are ${entry.kind}, of ${where}`);
      }
      seen.set(key, [...others, { entry: i, from: entry.atMs, until }]);
    }
  }
}

/** A server joins before anything else changes whether it is there, and leaves after that. */
function refuseAbsent(entries: readonly TimelineEntry[], servers: readonly Server[]): void {
  const times = (kind: 'join' | 'leave') =>
    new Map(
      entries.flatMap((entry) =>
        entry.kind === kind ? entry.servers.map((server) => [server, entry.atMs] as const) : [],
      ),
    );
  const joins = times('join');
  const leaves = times('leave');
  for (const [i, entry] of entries.entries()) {
    const { kind, atMs } = entry;
    if (kind !== 'join' && kind !== 'leave' && kind !== 'down') continue;
    for (const server of entry.servers) {
      const name = servers[server]!.endpoint.id;
      const join = joins.get(server) ?? 0;
      if (kind !== 'join' && atMs < join) {
        throw wrong(`timeline/${i}/atMs`, `is ${atMs}, and ${name} is not there before it joins, at ${join}`);
      }
      const leave = leaves.get(server) ?? Number.POSITIVE_INFINITY;
      const until = kind === 'down' ? atMs + (entry.forMs ?? 0) : atMs;
      if (kind !== 'leave' && until >= leave) {
        throw wrong(`timeline/${i}`, `has ${name} there at ${until}, and it has left at ${leave}`);
      }
    }
  }
}
