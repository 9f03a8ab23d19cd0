import type { Clock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';

/** What bounds a call or a pick in time. */
export interface TimeOptions {
  readonly deadline?: Date | number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly parent?: { getDeadline(): Date | number } | undefined;
}

/** Longer than anything runs, in milliseconds (285,616 years): a deadline so far away is none. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/**
 * When a call or a pick must be over, in monotonic milliseconds; `Infinity` for never. gRPC's deadlines are times on the
 * wall, whose clock may be set: they are read once, here, and what is left is measured with the other clock.
 *
 * @param defaultTimeoutMs - for what brings no time of its own; a parent's deadline holds beside it.
 * @throws {@link BalancerError} INVALID_OPTION for what is not a time.
 */
export function expiresAt(
  clock: Clock,
  { deadline, timeoutMs, parent }: TimeOptions,
  defaultTimeoutMs = Number.POSITIVE_INFINITY,
): number {
  let leftMs = deadline === undefined ? defaultTimeoutMs : msUntil(clock, 'deadline', deadline);
  if (timeoutMs !== undefined) {
    if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) throw notATime('timeoutMs', timeoutMs);
    leftMs = deadline === undefined ? timeoutMs : Math.min(leftMs, timeoutMs);
  }
  if (parent !== undefined)
    leftMs = Math.min(leftMs, msUntil(clock, "the parent's deadline", parent.getDeadline()));
  return leftMs >= NEVER_MS ? Number.POSITIVE_INFINITY : clock.now() + leftMs;
}

/**
 * How long it is until a deadline as grpc-js has it, a date or milliseconds since the epoch.
 *
 * @throws {@link BalancerError} INVALID_OPTION for what is not a time.
 */
export function msUntil(clock: Clock, what: string, deadline: Date | number): number {
  const epochMs = deadline instanceof Date ? deadline.getTime() : deadline;
  if (typeof epochMs !== 'number' || Number.isNaN(epochMs)) throw notATime(what, deadline);
  return epochMs - clock.epochNow();
}

function notATime(what: string, value: unknown): BalancerError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new BalancerError(
    'INVALID_OPTION',
    `${what} ${shown} is not a time: give a Date or a number of milliseconds`,
  );
}
