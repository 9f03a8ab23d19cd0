import { propagate } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import type { CreateCall } from '../../base/grpc-js/call.js';
import type { Cancellations } from './cancellations.js';
import { expiresAt } from './deadline.js';

/** What a channel is asked for a call with, read. */
export interface CallTerms {
  readonly path: string;
  /** In monotonic milliseconds; a parent's deadline is in it. */
  readonly expiresAt: number;
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
 * @throws {@link BalancerError} INVALID_OPTION for a deadline that is no time.
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
    expiresAt: expiresAt(clock, inherits ? { ...own, parent } : own, defaultTimeoutMs),
    authority: authority ?? undefined,
  };
}

/** The parent that a call was created under, if there is one that can cancel it. */
export class ParentLink {
  readonly #parent: NonNullable<CreateCall[3]> | undefined;

  constructor(
    [, , , parent, flags]: CreateCall,
    private readonly cancellations: Cancellations,
  ) {
    this.#parent = parent != null && propagates(flags, propagate.CANCELLATION) ? parent : undefined;
  }

  /** Lets the parent cancel the call, which may be at once; returns what undoes that. */
  bind(call: { cancelWithStatus(code: number, details: string): void }): (() => void) | undefined {
    const parent = this.#parent;
    if (parent === undefined) return undefined;
    const cancel = () => call.cancelWithStatus(Status.CANCELLED, 'Cancelled by parent call');
    if (!parent.cancelled) return this.cancellations.onParentCancelled(parent, cancel);
    cancel();
    return undefined;
  }
}

function propagates(flags: CreateCall[4], what: propagate): boolean {
  return ((flags ?? propagate.DEFAULTS) & what) !== 0;
}
