import { propagate } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import type { CreateCall, GrpcJsCall } from '../../base/grpc-js/call.js';
import { deadlineOf } from './deadline.js';

/** What a channel is asked for a call with, read. */
export interface CallTerms {
  readonly path: string;
  /** In milliseconds since the epoch; a parent's deadline is in it. */
  readonly deadline: number;
  readonly authority: string | undefined;
}

/** @throws TypeError where grpc-js's own channel does. */
export function refuseWhatIsNoCall([path, deadline]: CreateCall): void {
  if (typeof path !== 'string') throw new TypeError('Channel#createCall: method must be a string');
  if (typeof deadline !== 'number' && !(deadline instanceof Date)) {
    throw new TypeError('Channel#createCall: deadline must be a number or Date');
  }
}

/**
 * Reads what grpc-js's clients pass to `createCall`.
 *
 * @param defaultTimeoutMs - for a call that brings no deadline of its own.
 */
export function callTerms(
  [path, deadline, authority, parent, flags]: CreateCall,
  clock: Clock,
  defaultTimeoutMs?: number,
): CallTerms {
  const own = deadline === Number.POSITIVE_INFINITY ? {} : { deadline };
  const inherits = parent != null && propagates(flags, propagate.DEADLINE);
  return {
    path,
    deadline: deadlineOf(clock, inherits ? { ...own, parent } : own, defaultTimeoutMs),
    authority: authority ?? undefined,
  };
}

/** Lets the parent that the call was created under, if there is one, cancel it. */
export function obeyParent(call: GrpcJsCall, [, , , parent, flags]: CreateCall): void {
  if (parent == null || !propagates(flags, propagate.CANCELLATION)) return;
  parent.on('cancelled', () => call.cancelWithStatus(Status.CANCELLED, 'Cancelled by parent call'));
}

function propagates(flags: CreateCall[4], what: propagate): boolean {
  return ((flags ?? propagate.DEFAULTS) & what) !== 0;
}
