import type { Clock } from '../clock.js';
import { BalancerError } from '../errors.js';

/** grpc-js's deadlines, a date or milliseconds since the epoch, as the latter. */
export function epochMs(deadline: Date | number): number {
  return typeof deadline === 'number' ? deadline : deadline.getTime();
}

/**
 * When a call or a pick must be over, in milliseconds since the epoch; `Infinity` for never.
 *
 * @throws {@link BalancerError} INVALID_OPTION for what is not a time.
 */
export function deadlineOf(
  clock: Clock,
  { deadline, timeoutMs }: { deadline?: Date | number | undefined; timeoutMs?: number | undefined },
): number {
  const absolute = deadline === undefined ? Number.POSITIVE_INFINITY : epochMs(deadline);
  const relative = timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.epochNow() + timeoutMs;
  if (Number.isNaN(absolute) || Number.isNaN(relative)) {
    const what = Number.isNaN(absolute) ? `deadline ${String(deadline)}` : `timeoutMs ${String(timeoutMs)}`;
    throw new BalancerError(
      'INVALID_OPTION',
      `${what} is not a time: give a Date or a number of milliseconds`,
    );
  }
  return Math.min(absolute, relative);
}
