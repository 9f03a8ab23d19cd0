import type { CallCredentials, Metadata, StatusObject } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import { type BalancerError, Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Request } from '../core/dispatcher.js';
import type { MethodPolicy, Policies } from '../core/policies.js';
import type { RetryBudget } from '../core/retry-budget.js';
import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Connection } from '../transport/transport.js';

/** What a call needs of whatever the pool hangs on a row: the connection, which every row has that has been READY. */
export interface Connected {
  readonly connection: Connection | undefined;
}

/** What a call needs of the pool. */
export interface CallHost {
  /** The name in the registry, for those who watch. */
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  /** For every attempt after the first that a server may have seen the call in. */
  readonly budget: RetryBudget;
  /** Being closed: nothing is tried again. */
  readonly closed: boolean;
  /** The call's place among all calls. */
  arrive(): number;
  /** A row with room, counted; undefined when the call has to wait. Throws BalancerError: CLOSED, PICKER_FAILED. */
  tryPick(request: Request<Connected>): Row<Connected> | undefined;
  couldPick(request: Request<Connected>): boolean;
  /** Lets the call wait. Throws BalancerError: QUEUE_FULL. */
  wait(request: Request<Connected>): void;
  /** Takes a waiting call out. */
  leave(request: Request<Connected>): void;
  /** Calls that are neither on a row nor in the queue until their back-off is over: a pool that closes refuses them. */
  readonly backingOff: Set<Request<Connected>>;
  finish(row: Row<Connected>, outcome: Outcome): void;
  /** Why a call that waited until its deadline was not picked: DEADLINE or NO_ENDPOINTS. */
  explain(waitedMs: number): BalancerError;
}

/** What makes policies, for whoever starts calls. */
export interface PolicyHost {
  readonly policies: Policies;
  /** The 95th percentile of the pool's recent unary latencies, in milliseconds; undefined while it knows too few. */
  p95(): number | undefined;
}

/** What a call is started with. */
export interface CallInit {
  readonly path: string;
  /** Milliseconds since the epoch; `Infinity` for none. Fixed when the call enters: waiting counts. */
  readonly deadline: number;
  metadata: Metadata;
  credentials?: CallCredentials | undefined;
  /** Overrides the `:authority` that is sent. */
  readonly authority?: string | undefined;
  readonly key?: string | undefined;
  readonly group?: string | undefined;
  readonly policy: MethodPolicy;
  /** For a second attempt beside a first: rows that it must not get, and that it must not wait for another. */
  readonly beside?: ReadonlySet<Row<Connected>> | undefined;
}

/** How a call ended: the wire's status, or ours with its cause. */
export interface CallStatus extends StatusObject {
  readonly cause?: unknown;
}

/** What a call with one response fails with that ended well without it, as grpc-js has it. */
export function noResponse({ metadata }: CallStatus): CallStatus {
  return { code: Status.UNIMPLEMENTED, details: 'No message received', metadata };
}
