import { backoffMs } from '../../base/backoff.js';
import { Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { RetryPolicy } from './retry-options.js';

/**
 * Whether a server can have processed a call. A transport says it of every end; after a good one nobody asks.
 *
 * - `never`: nothing of the call was written to a connection. Another server may have it.
 * - `unsendable`: the same, and the call itself is at fault: its metadata cannot be sent, its credentials gave none. It would
 *   fail the same on any server, and says nothing against this one.
 * - `refused`: the server has said that it did not process it: REFUSED_STREAM, or a GOAWAY below its stream
 *   (RFC 9113, section 8.7). Another may have it.
 * - `maybe`: anything else.
 */
export type Reached = 'never' | 'unsendable' | 'refused' | 'maybe';

/** How an attempt ended. */
export interface AttemptEnd {
  /** The gRPC status code. */
  readonly code: number;
  readonly reached: Reached;
  /** It was given a time of its own, shorter than the call's, which has passed. */
  readonly timedOut: boolean;
  /** What the server says of a next attempt: the trailing metadata {@link PUSHBACK}. */
  readonly pushback?: string | undefined;
}

/** What is known of a call when an attempt of it has ended. */
export interface CallSoFar {
  /** Undefined: what may have reached a server is not made again. */
  readonly retry: RetryPolicy | undefined;
  /** How many attempts have failed before this one that may have reached a server. */
  readonly failures: number;
  /**
   * No attempt may follow, whatever the end: the caller has cancelled, what was sent is not there any more, or response
   * headers have come, which commit the call to this attempt (gRFC A6).
   */
  readonly committed: boolean;
  /** The call has no time left, or its pool is closing: nothing is waited for. */
  readonly last: boolean;
}

/** What becomes of a call after an attempt. */
export type AttemptOutcome =
  /** The call ends as the attempt did. */
  | { readonly kind: 'end' }
  /** No server has processed it: it goes to another at once, and that costs no attempt. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'retry'; readonly afterMs: number };

/** gRFC A6: when the server wants the next attempt, in milliseconds; -1 for never. */
export const PUSHBACK = 'grpc-retry-pushback-ms';

const END: AttemptOutcome = Object.freeze({ kind: 'end' });
const ELSEWHERE: AttemptOutcome = Object.freeze({ kind: 'elsewhere' });

/** The largest wait that a server may ask for: A6 has a signed integer of 32 bits. */
const LONGEST_PUSHBACK_MS = 2 ** 31 - 1;

/**
 * What becomes of a call after an attempt, by gRFC A6 ("gRPC Retry Design") with one thing beyond it: A6 repeats what was
 * not processed ("transparent retries") once or for ever, depending on how that is known; here it goes elsewhere each time.
 *
 * @param mayRetry - asks the retry budget; not before everything else speaks for a retry, for a yes is counted.
 */
export function attemptOutcome(
  end: AttemptEnd,
  call: CallSoFar,
  mayRetry: () => boolean,
  random: Random,
): AttemptOutcome {
  const { code, reached } = end;
  if (code === Status.OK || call.committed || reached === 'unsendable') return END;
  if (wasNotProcessed(end)) return ELSEWHERE;
  const { retry, failures } = call;
  if (retry === undefined || call.last || failures + 1 >= retry.maxAttempts) return END;
  const timedOut = end.timedOut && code === Status.DEADLINE_EXCEEDED;
  if (!timedOut && !retry.codes.has(code)) return END;
  const afterMs = end.pushback === undefined ? undefined : pushbackMs(end.pushback);
  if (Number.isNaN(afterMs) || !mayRetry()) return END;
  return { kind: 'retry', afterMs: afterMs ?? backoffMs(retry.backoff, failures + 1, random) };
}

/**
 * Whether no server has processed an attempt that failed by itself. One that has run out of time, or whose call was
 * cancelled, did not: whoever let that happen wants no other.
 */
export function wasNotProcessed({ code, reached }: Pick<AttemptEnd, 'code' | 'reached'>): boolean {
  return reached !== 'maybe' && (code === Status.UNAVAILABLE || code === Status.INTERNAL);
}

/** Milliseconds; NaN when the server wants no other attempt, which is what anything else means that it may say (A6). */
function pushbackMs(pushback: string): number {
  const ms = /^\d{1,10}$/.test(pushback) ? Number(pushback) : Number.NaN;
  return ms <= LONGEST_PUSHBACK_MS ? ms : Number.NaN;
}
