import { type CallCredentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import { type BalancerError, Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Request } from '../core/dispatcher.js';
import type { MethodPolicy, Policies } from '../core/policies.js';
import type { RetryBudget } from '../core/retry-budget.js';
import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Connection } from '../transport/transport.js';
import type { Cancellations } from './cancellations.js';

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
  /** What retries and hedges, which servers may see beside the call itself, are taken from. */
  readonly budget: RetryBudget;
  /** What cancels calls from outside: signals and parent calls. */
  readonly cancellations: Cancellations;
  /** Being closed: nothing is tried again. */
  readonly closed: boolean;
  /** The call's place among all calls. */
  arrive(): number;
  /** A row with room, counted; undefined when the call has to wait. Throws BalancerError: CLOSED, PICKER_FAILED. */
  tryPick(request: Request<Connected>): Row<Connected> | undefined;
  couldPick(request: Request<Connected>): boolean;
  /** Lets the call wait. Throws BalancerError: QUEUE_FULL, CLOSED. */
  wait(request: Request<Connected>): void;
  /** Takes a waiting call out. */
  leave(request: Request<Connected>): void;
  /** Calls that wait for the end of a back-off, and so are in no queue: a pool that closes refuses them, too. */
  readonly backingOff: Set<Request<Connected>>;
  /** Counts the end of a pick. */
  finish(row: Row<Connected>, outcome: Outcome): void;
  /** The error of a call that waited until its deadline: DEADLINE, or NO_ENDPOINTS when there was none to wait for. */
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
  /** The full method name, `/package.Service/Method`. */
  readonly path: string;
  /** When it must be over, in monotonic milliseconds; `Infinity` for never. Fixed when it enters: waiting counts. */
  readonly expiresAt: number;
  metadata: Metadata;
  credentials?: CallCredentials | undefined;
  /** What `:authority` says instead of the connection's own. */
  readonly authority?: string | undefined;
  readonly key?: string | undefined;
  readonly group?: string | undefined;
  readonly policy: MethodPolicy;
  /** Of a hedge, the rows of the attempts beside which it is made. It gets none of them, and does not wait for another. */
  readonly beside?: ReadonlySet<Row<Connected>> | undefined;
}

/** What every call without metadata sends: a transport writes nothing to what it is given. */
export const NO_METADATA = Object.freeze(new Metadata()) as Metadata;

/** How a call ended: the wire's status, or ours with its cause. */
export interface CallStatus extends StatusObject {
  readonly cause?: unknown;
}

/** A status of ours. */
export function ownStatus(code: number, details: string, cause?: unknown): CallStatus {
  return { code, details, metadata: new Metadata(), cause };
}

/** What a call with one response fails with that ended well without it, as grpc-js has it. */
export function noResponse({ metadata }: CallStatus): CallStatus {
  return { code: Status.UNIMPLEMENTED, details: 'No message received', metadata };
}

/** The same for one that got several. */
export function tooManyResponses(): CallStatus {
  return ownStatus(Status.UNIMPLEMENTED, 'Too many responses received');
}
