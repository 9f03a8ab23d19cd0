import { channel } from 'node:diagnostics_channel';
import type { AttemptOutcome } from '../core/attempt-outcome.js';

/** One attempt of a call, on one subchannel. */
export interface AttemptMessage {
  readonly service: string;
  /** The full method name. */
  readonly path: string;
  readonly address: string;
  /** 1 for the first; attempts that never reached a server count too. */
  readonly attempt: number;
  /** A second attempt beside a first that still runs. */
  readonly hedge: boolean;
}

/** How an attempt ended. */
export interface AttemptEndMessage extends AttemptMessage {
  /** The gRPC status code. */
  readonly code: number;
  /** From pick to end, in milliseconds. */
  readonly durationMs: number;
  /** What follows: nothing, the same call at once elsewhere (it never reached a server), or a retry after a wait. */
  readonly then: 'end' | 'repick' | 'retry';
}

/** What calls publish on `node:diagnostics_channel`. A message is built only when somebody listens. */
export const attemptDiagnostics = {
  attemptStart: channel('evenkeel:attempt:start'),
  attemptEnd: channel('evenkeel:attempt:end'),
};

/** What there is to say of an attempt, should anybody listen. */
interface Attempted {
  /** When it was picked, in monotonic milliseconds. */
  readonly startedAt: number;
  describeAttempt(): AttemptMessage;
}

export function publishAttemptStart(attempt: Attempted): void {
  if (attemptDiagnostics.attemptStart.hasSubscribers) {
    attemptDiagnostics.attemptStart.publish(attempt.describeAttempt());
  }
}

export function publishAttemptEnd(
  attempt: Attempted,
  code: number,
  outcome: AttemptOutcome['kind'],
  now: number,
): void {
  if (!attemptDiagnostics.attemptEnd.hasSubscribers) return;
  const then = outcome === 'elsewhere' ? 'repick' : outcome;
  const durationMs = now - attempt.startedAt;
  attemptDiagnostics.attemptEnd.publish({ ...attempt.describeAttempt(), code, durationMs, then });
}
