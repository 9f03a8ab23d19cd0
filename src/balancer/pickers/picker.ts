import type { Endpoint } from '../../base/endpoint.js';
import type { Random } from '../../base/random.js';

/** What a picker sees of a READY subchannel. */
export interface Candidate {
  /** Replaced, never mutated, when its attributes change while it is READY; see {@link Picker.updated}. */
  readonly endpoint: Endpoint;
  /**
   * A dense, reused integer: index your meters by it. It is this candidate's for as long as it is READY or has a
   * pending call, so a late `finished` never lands on another's meter.
   */
  readonly slot: number;
  /** Calls picked and not finished. */
  readonly pending: number;
  /** At its limit of pending calls: must not be picked. */
  readonly full: boolean;
}

/** What a picker may know of the call. */
export interface PickContext {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Affinity, for the hashing pickers. */
  readonly key?: string | undefined;
  /** Which partition of the candidates, for the grouping pickers. */
  readonly group?: string | undefined;
  /** Candidates that have failed this call already: must not be picked. */
  readonly exclude?: ReadonlySet<Candidate> | undefined;
}

/** How a picked call ended. */
export interface Outcome {
  /** The gRPC status code. */
  readonly code: number;
  /** Unary: the whole call; streams: to the first message. In milliseconds; absent when the pick was never used. */
  readonly latencyMs?: number | undefined;
  /** The full method name, as in `/package.Service/Method`: methods are as different in latency as night and day. */
  readonly method?: string | undefined;
  /**
   * Says nothing of the server, whatever the code: the caller gave up, or this process failed by itself. Default: for CANCELLED
   * alone, which the caller is taken for.
   */
  readonly blameless?: boolean | undefined;
}

/** Makes a picker for one candidate set; also what a hot swap takes. Called once per set, so state is not shared. */
export type PickerFactory = (env: { readonly random: Random }) => Picker;

/**
 * A policy: which candidate gets a call.
 *
 * Contract (`describePicker` in `evenkeel/testing` holds every picker to it):
 * - `pick` is synchronous, does no I/O and allocates nothing. `ready` is dense, never empty, and holds exactly the
 *   candidates that were `added` and not yet `removed`; its order is the table's and may change between calls.
 * - It returns one of `ready` that is neither full nor excluded, and `undefined` only when there is none. Emptiness,
 *   queueing and limits are the pool's problem.
 * - Hooks are called in the order of what happened, each after `pending` has changed. `started` follows every pick
 *   that is used; `finished` follows every `started`, exactly once.
 * - `finished` may come after `removed`, and without a `started` of this picker's when it was swapped in meanwhile;
 *   `added` may come with `pending > 0`.
 */
export interface Picker {
  /** For people: in snapshots, events and reports. */
  readonly name: string;
  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined;
  /**
   * What the registry announces, READY or not, for pickers to which it matters how much of it is missing. `before` is
   * absent for a new endpoint, `now` for one that is withdrawn; both are there when its attributes changed. Comes
   * before `added` for the same endpoint; a picker that is swapped in hears of everything announced, then of the READY.
   */
  announced?(now: Endpoint | undefined, before: Endpoint | undefined): void;
  /** The candidate is READY from now on. */
  added?(candidate: Candidate): void;
  /** The candidate is not READY any more. Being full is not being removed. */
  removed?(candidate: Candidate): void;
  /** The attributes of a READY candidate have changed: `endpoint` is the new one already. */
  updated?(candidate: Candidate, previous: Endpoint): void;
  started?(candidate: Candidate, now: number): void;
  finished?(candidate: Candidate, now: number, outcome: Outcome): void;
}

/** True when a picker may choose the candidate for this call. */
export function eligible(candidate: Candidate, call: PickContext): boolean {
  return !candidate.full && !call.exclude?.has(candidate);
}
