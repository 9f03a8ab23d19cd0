import { MASS_REMOVAL_GUARD, MAX_WAITING, POOL_TABLE } from '../../balancer/core/defaults.js';
import { type OutlierOptions, outlierOptions } from '../../balancer/core/outlier-options.js';
import type { RetryBudgetOptions } from '../../balancer/core/retry-budget.js';
import { type HedgeOptions, type RetryPolicy, retryPolicy } from '../../balancer/core/retry-options.js';
import type { TableOptions } from '../../balancer/table/table-options.js';
import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';
import type { ArrivalPlan } from './arrivals.js';
import { checkBounds } from './bounds.js';
import { type Distribution, type DistributionSpec, distribution } from './distribution.js';
import { Keys } from './keys.js';
import type { ArrivalsSpec, Scenario, ServerGroupSpec, TargetSpec } from './scenario.js';
import { checkTimeline, type TimelineEntry, thereAtStart } from './timeline-entries.js';
import { wrong } from './wrong.js';

/** One server, as it is simulated. */
export interface ServerPlan {
  readonly endpoint: Endpoint;
  readonly service: Distribution;
  readonly concurrency: number;
  readonly queue: number;
  readonly speed: number;
  readonly stopsWhenCancelled: boolean;
  readonly antagonist: ServerGroupSpec['antagonist'];
}

/** A scenario with its defaults, its files read and its names resolved: all that a simulation needs but a picker and a seed. */
export interface Plan {
  readonly name: string;
  readonly description: string | undefined;
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly arrivals: ArrivalPlan;
  readonly servers: readonly ServerPlan[];
  /** Those that are there from the start, by index. */
  readonly announced: readonly number[];
  readonly clients: number;
  readonly timeoutMs: number;
  readonly pendingUntilAnswered: boolean;
  readonly retry: RetryPolicy | undefined;
  readonly retryBudget: RetryBudgetOptions;
  readonly hedge: HedgeOptions | undefined;
  readonly keys: Keys | undefined;
  readonly subsetSize: number | undefined;
  readonly maxWaiting: number;
  readonly outlier: OutlierOptions | undefined;
  /** Of every client; without its subset, which is each client's own. */
  readonly table: TableOptions;
  readonly networkDelay: Distribution | undefined;
  readonly connectMs: number;
  readonly discoveryDelay: Distribution;
  readonly leaseMs: number;
  readonly timeline: readonly TimelineEntry[];
  /** Whether servers come and go: then every client has the whole table. */
  readonly membershipChanges: boolean;
  readonly targets: readonly TargetSpec[];
}

const LEASE_MS = 10_000;
/** A row takes about 1 KB. */
const MAX_ROWS = 2_000_000;

/**
 * @param samples - the numbers in a file that the scenario names.
 * @throws BalancerError INVALID_OPTION, naming the field, for what a schema cannot say.
 */
export function planOf(scenario: Scenario, samples: (file: string, field: string) => Float64Array): Plan {
  const { calls = {}, pool = {}, network = {}, discovery = {}, timeline = [], warmUpMs = 0 } = scenario;
  const clients = scenario.clients ?? 1;
  if (warmUpMs >= scenario.durationMs) {
    throw wrong('warmUpMs', `is ${warmUpMs}, which leaves nothing of durationMs, ${scenario.durationMs}`);
  }
  const toDistribution = (spec: DistributionSpec, field: string) => {
    if (typeof spec === 'object' && spec.kind === 'uniform' && spec.minMs > spec.maxMs) {
      throw wrong(`${field}/minMs`, `is ${spec.minMs}, and must be at most maxMs, ${spec.maxMs}`);
    }
    return distribution(spec, (file) => samples(file, `${field}/file`));
  };
  const names = new Map<string, number[]>();
  const servers = serversOf(scenario.servers, names, toDistribution);
  const entries = timeline.map((entry, i) => ({
    ...entry,
    servers: resolve(entry.servers, names, `timeline/${i}/servers`),
  })) as TimelineEntry[];
  checkTimeline(entries, servers);
  const announced = thereAtStart(servers, entries);
  const membershipChanges = entries.some(
    ({ kind }) => kind === 'down' || kind === 'join' || kind === 'leave',
  );
  const perClient = membershipChanges
    ? servers.length
    : Math.min(servers.length, pool.subset?.size ?? Infinity);
  if (clients * perClient > MAX_ROWS) {
    const cure = membershipChanges
      ? 'have fewer clients or servers, or none that come and go'
      : 'have fewer, or give pool/subset a size';
    throw wrong(
      'clients',
      `is ${clients}, and with ${perClient} servers each their tables have more than ${MAX_ROWS} rows: ${cure}`,
    );
  }
  const guard = pool.massRemovalGuard ?? false;
  const plan: Plan = {
    name: scenario.name,
    description: scenario.description,
    durationMs: scenario.durationMs,
    warmUpMs,
    arrivals: arrivalsOf(
      scenario,
      announced.map((index) => servers[index]!),
      samples,
    ),
    servers,
    announced,
    clients,
    timeoutMs: calls.timeoutMs ?? Number.POSITIVE_INFINITY,
    pendingUntilAnswered: calls.pendingUntilAnswered ?? false,
    retry: calls.retry && at('calls', () => retryPolicy(calls.retry!)),
    retryBudget: pool.retryBudget ?? {},
    hedge: calls.hedge,
    keys: calls.keys && new Keys(calls.keys.count, calls.keys.zipf ?? 0),
    subsetSize: pool.subset?.size,
    maxWaiting: pool.queue?.max ?? MAX_WAITING,
    outlier: outlierOf(pool.outlierDetection ?? false),
    table: {
      ...POOL_TABLE,
      maxPending: () => pool.maxPendingPerEndpoint ?? Number.POSITIVE_INFINITY,
      guard: guard === false ? undefined : { ...MASS_REMOVAL_GUARD, ...(guard === true ? {} : guard) },
    },
    networkDelay:
      network.delayMs === undefined ? undefined : toDistribution(network.delayMs, 'network/delayMs'),
    connectMs: network.connectMs ?? 0,
    discoveryDelay: toDistribution(discovery.delayMs ?? 0, 'discovery/delayMs'),
    leaseMs: discovery.leaseMs ?? LEASE_MS,
    timeline: entries,
    membershipChanges,
    targets: scenario.targets ?? [],
  };
  checkBounds(plan);
  return plan;
}

/** What the options of the pool have to say against theirs, with the field that they are in. */
function at<T>(field: string, make: () => T): T {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof BalancerError)
      throw new BalancerError('INVALID_OPTION', `${field}: ${thrown.message}`);
    throw thrown;
  }
}

function outlierOf(option: boolean | Partial<OutlierOptions>): OutlierOptions | undefined {
  if (option === false) return undefined;
  return at('pool', () => outlierOptions(option === true ? {} : option));
}

function serversOf(
  groups: readonly ServerGroupSpec[],
  names: Map<string, number[]>,
  toDistribution: (spec: DistributionSpec, field: string) => Distribution,
): ServerPlan[] {
  const servers: ServerPlan[] = [];
  for (const [g, group] of groups.entries()) {
    const { name, count, weight = 1, metadata = {}, antagonist } = group;
    if (names.has(name))
      throw wrong(`servers/${g}/name`, `${JSON.stringify(name)} is taken: names are unique`);
    if (antagonist !== undefined && antagonist.forMs >= antagonist.everyMs) {
      throw wrong(`servers/${g}/antagonist/forMs`, 'must be less than everyMs');
    }
    const service = toDistribution(group.service, `servers/${g}/service`);
    const members: number[] = [];
    for (let n = 1; n <= count; n++) {
      const id = count === 1 ? name : `${name}-${n}`;
      if (count > 1 && names.has(id)) throw wrong(`servers/${g}/name`, `makes a second server ${id}`);
      names.set(id, [servers.length]);
      members.push(servers.length);
      servers.push({
        endpoint: { id, address: `${id}:50051`, weight, metadata },
        service,
        concurrency: group.concurrency ?? Number.POSITIVE_INFINITY,
        queue: group.queue ?? Number.POSITIVE_INFINITY,
        speed: group.speed ?? 1,
        stopsWhenCancelled: group.stopsWhenCancelled ?? false,
        antagonist,
      });
    }
    names.set(name, members);
  }
  return servers;
}

function resolve(
  given: string | readonly string[],
  names: ReadonlyMap<string, readonly number[]>,
  field: string,
): number[] {
  const found = new Set<number>();
  for (const name of typeof given === 'string' ? [given] : given) {
    const servers = names.get(name);
    if (servers === undefined) {
      const known = [...names.keys()];
      const some = known.length > 12 ? `${known.slice(0, 12).join(', ')} and so on` : known.join(', ');
      throw wrong(field, `names ${JSON.stringify(name)}, which is none of ${some}`);
    }
    for (const server of servers) found.add(server);
  }
  return [...found];
}

function arrivalsOf(
  { arrivals: spec, durationMs }: Scenario,
  servers: readonly ServerPlan[],
  samples: (file: string, field: string) => Float64Array,
): ArrivalPlan {
  if (spec.kind === 'trace') return traceOf(spec, samples(spec.file, 'arrivals/file'), durationMs);
  const perSecond = 'perSecond' in spec ? spec.perSecond : spec.load * capacity(servers);
  const steps = [...(spec.steps ?? [])].sort((a, b) => a.atMs - b.atMs);
  return { ...spec, perMs: perSecond / 1_000, steps };
}

/** The calls a second that servers can take together, at the speed that they were given. */
function capacity(servers: readonly ServerPlan[]): number {
  if (servers.length === 0) {
    throw wrong('arrivals/load', 'cannot be told: no server is there from the start; give perSecond instead');
  }
  let perMs = 0;
  for (const { endpoint, concurrency, speed, service } of servers) {
    const each = (concurrency * speed) / service.meanMs;
    if (!(Number.isFinite(each) && each > 0)) {
      throw wrong(
        'arrivals/load',
        `cannot be told: ${endpoint.id} has no limit of concurrency, or its service no mean; give perSecond instead`,
      );
    }
    perMs += each;
  }
  return perMs * 1_000;
}

function traceOf(
  { as = 'times', msPerUnit = 1, repeat = false }: Extract<ArrivalsSpec, { kind: 'trace' }>,
  numbers: Float64Array,
  durationMs: number,
): ArrivalPlan {
  const times = new Float64Array(numbers.length);
  let at = 0;
  for (const [i, number] of numbers.entries()) {
    if (as === 'times' && i > 0 && number < numbers[i - 1]!) {
      throw wrong(
        'arrivals/file',
        `is not in order: number ${i + 1}, ${number}, is less than the one before it`,
      );
    }
    at = as === 'times' ? number * msPerUnit : at + number * msPerUnit;
    times[i] = at;
  }
  if (times[0]! >= durationMs) {
    throw wrong(
      'arrivals/file',
      `has its first call at ${times[0]} ms, after durationMs, ${durationMs}: times are from the start, in units of msPerUnit`,
    );
  }
  // The gap from the last to the first is the mean of the others.
  const gap = times.length < 2 ? 0 : (times.at(-1)! - times[0]!) / (times.length - 1);
  const repeatMs = times.at(-1)! - times[0]! + gap;
  if (repeat && repeatMs === 0) throw wrong('arrivals/repeat', 'needs a trace that takes some time');
  return { kind: 'trace', times, repeatMs: repeat ? repeatMs : Number.POSITIVE_INFINITY };
}
