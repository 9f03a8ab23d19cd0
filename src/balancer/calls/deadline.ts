import type { Clock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';

/** grpc-js's deadlines, a date or milliseconds since the epoch, as the latter. */
export function epochMs(deadline: Date | number): number {
  return typeof deadline === 'number' ? deadline : deadline.getTime();
}

/** What bounds a call or a pick in time. */
export interface TimeOptions {
  readonly deadline?: Date | number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly parent?: { getDeadline(): Date | number } | undefined;
}

/**
 * When a call or a pick must be over, in milliseconds since the epoch; `Infinity` for never.
 *
 * @param defaultTimeoutMs - for what brings no time of its own; a parent's deadline holds beside it.
 * @throws {@link BalancerError} INVALID_OPTION for what is not a time.
 */
export function deadlineOf(
  clock: Clock,
  { deadline, timeoutMs, parent }: TimeOptions,
  defaultTimeoutMs = Number.POSITIVE_INFINITY,
): number {
  const absolute = deadline === undefined ? Number.POSITIVE_INFINITY : epochMs(deadline);
  const inMs = timeoutMs ?? (deadline === undefined ? defaultTimeoutMs : Number.POSITIVE_INFINITY);
  const relative = inMs === Number.POSITIVE_INFINITY ? inMs : clock.epochNow() + inMs;
  if (Number.isNaN(absolute) || Number.isNaN(relative)) {
    const what = Number.isNaN(absolute) ? `deadline ${String(deadline)}` : `timeoutMs ${String(timeoutMs)}`;
    throw new BalancerError(
      'INVALID_OPTION',
      `${what} is not a time: give a Date or a number of milliseconds`,
    );
  }
  const own = Math.min(absolute, relative);
  return parent === undefined ? own : Math.min(own, epochMs(parent.getDeadline()));
}
