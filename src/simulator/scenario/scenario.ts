import type { OutlierOptions } from '../../balancer/core/outlier-options.js';
import type { RetryBudgetOptions } from '../../balancer/core/retry-budget.js';
import type { HedgeOptions, RetryOptions } from '../../balancer/core/retry-options.js';
import type { RemovalGuardOptions } from '../../balancer/table/removal-guard.js';
import type { Status } from '../../base/errors.js';
import type { DistributionSpec } from './distribution.js';

/**
 * What is simulated, as a scenario file says it. `scenario.schema.json` is the same as a JSON Schema, and describes every
 * field. Times are virtual milliseconds from the start.
 */
export interface Scenario {
  readonly name: string;
  readonly description?: string;
  /** How long calls arrive. Each is followed to its end. */
  readonly durationMs: number;
  /** Calls that arrive before this are made, and left out of the results. Default 0. */
  readonly warmUpMs?: number;
  /** The pickers to compare, unless others are asked for: names, or paths of modules beside the file. */
  readonly pickers?: readonly string[];
  readonly arrivals: ArrivalsSpec;
  readonly servers: readonly ServerGroupSpec[];
  /** How many pools there are, each with a table and a picker of its own. Default 1. */
  readonly clients?: number;
  readonly calls?: CallsSpec;
  readonly pool?: PoolSpec;
  readonly network?: NetworkSpec;
  readonly discovery?: DiscoverySpec;
  readonly timeline?: readonly TimelineSpec[];
  /** What must hold. */
  readonly targets?: readonly TargetSpec[];
}

/** How many calls come: a second, over all clients; or as a share of what the servers there at the start can take. */
type RateSpec = { readonly perSecond: number } | { readonly load: number };

export type ArrivalsSpec =
  | (RateSpec & { readonly kind: 'poisson' | 'uniform'; readonly steps?: readonly RateStep[] })
  /** Between calm and bursts of `factor` times the calm rate, at random; the rate given is the mean of both. */
  | (RateSpec & {
      readonly kind: 'bursts';
      readonly factor: number;
      /** How long they last in the mean. */
      readonly burstMs: number;
      readonly calmMs: number;
      readonly steps?: readonly RateStep[];
    })
  | {
      readonly kind: 'trace';
      /** A number a line: the times of the calls, or the gaps between them. */
      readonly file: string;
      readonly as?: 'times' | 'gaps';
      readonly msPerUnit?: number;
      /** Begins again when it has come to its end. Default: no more calls then. */
      readonly repeat?: boolean;
    };

/** From `atMs` on, the rate is the given one times this. */
export interface RateStep {
  readonly atMs: number;
  readonly factor: number;
}

/** Servers that are alike. Those of a group of several are called `name-1`, `name-2` and so on. */
export interface ServerGroupSpec {
  readonly name: string;
  readonly count: number;
  /** How long a call takes at speed 1 once it is served. */
  readonly service: DistributionSpec;
  /** How many calls are served at a time. Default: all at once. */
  readonly concurrency?: number;
  /** How many more may wait at the server; past it, calls fail with RESOURCE_EXHAUSTED. Default: any number. */
  readonly queue?: number;
  /** 2 is twice as fast. Default 1. */
  readonly speed?: number;
  /** What the servers announce. Default 1. */
  readonly weight?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Neighbours that slow each server down now and then, each by itself, for times that are exponential with these means. */
  readonly antagonist?: { readonly slowBy: number; readonly forMs: number; readonly everyMs: number };
  /** Stops working on a call that its client has given up. Default: works on, as most handlers do. */
  readonly stopsWhenCancelled?: boolean;
}

export interface CallsSpec {
  /** Default: none. */
  readonly timeoutMs?: number;
  /** A call that has run out of time counts as pending until its server answers. Default false, as in the pool. */
  readonly pendingUntilAnswered?: boolean;
  readonly retry?: RetryOptions;
  readonly hedge?: HedgeOptions;
  /** Each call has one of `count` keys, the nth as likely as n^-zipf. Default: no keys; zipf 0, all equally likely. */
  readonly keys?: { readonly count: number; readonly zipf?: number };
}

/** As in `PoolOptions`. Outlier detection and the guard are off unless asked for, to show a policy by itself. */
export interface PoolSpec {
  readonly subset?: { readonly size: number };
  readonly maxPendingPerEndpoint?: number;
  readonly queue?: { readonly max: number };
  readonly retryBudget?: RetryBudgetOptions;
  readonly outlierDetection?: boolean | Partial<OutlierOptions>;
  readonly massRemovalGuard?: boolean | Partial<RemovalGuardOptions>;
}

export interface NetworkSpec {
  /** One way. Default 0. */
  readonly delayMs?: DistributionSpec;
  /** To make a connection. Default 0. All are made when the simulation starts. */
  readonly connectMs?: number;
}

export interface DiscoverySpec {
  /** From a change in the registry until a client hears of it, each client by itself. Default 0. */
  readonly delayMs?: DistributionSpec;
  /** From the death of a server until its lease has run out. Default 10,000. */
  readonly leaseMs?: number;
}

/** What befalls servers: names of servers or of groups. */
export type TimelineSpec = {
  readonly atMs: number;
  readonly servers: string | readonly string[];
} & (
  | (Lasting & { readonly kind: 'slow'; readonly by: number })
  /** Calls that come then take so long to serve. */
  | (Lasting & { readonly kind: 'latency'; readonly ms: number })
  /** They stand still, with all their calls; connections hold. */
  | (Lasting & { readonly kind: 'stop' })
  /** Calls that come then fail with this probability, after `ms`, without being served. Default UNAVAILABLE, 1 ms. */
  | (Lasting & {
      readonly kind: 'fail';
      readonly probability: number;
      readonly code?: keyof typeof Status;
      readonly ms?: number;
    })
  /** Killed: calls fail, connections are lost, the lease runs out. */
  | (Lasting & { readonly kind: 'down' })
  /** They are not there before this. */
  | { readonly kind: 'join' }
  /** Taken out of the registry; they serve on for `lingerMs`, then end. Default: as long as calls may take to drain. */
  | { readonly kind: 'leave'; readonly lingerMs?: number }
);

interface Lasting {
  /** Default: to the end. */
  readonly forMs?: number;
}

/** What a scenario measures of a picker: latencies in milliseconds, the rest as it is. */
export const METRICS = [
  'successRate',
  'meanMs',
  'p50Ms',
  'p90Ms',
  'p99Ms',
  'p999Ms',
  'maxMs',
  'maxOverMeanLoad',
] as const;
export type Metric = (typeof METRICS)[number];

/** A bound on the mean over the seeds of what is measured of a picker. */
export interface TargetSpec {
  readonly picker: string;
  readonly metric: Metric;
  readonly atMost?: number;
  readonly atLeast?: number;
}
