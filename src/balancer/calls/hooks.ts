import type { AsyncResource } from 'node:async_hooks';
import { asError, Status } from '../../base/errors.js';
import { warnOfHook } from '../../base/logger.js';
import { type CallStatus, ownStatus } from './call-host.js';

// What is the user's and is called from within ours. It may throw, and it may be async and reject.

/**
 * Calls a hook of a stub's caller. What it throws is what the call fails with: it is returned. An async one is not waited
 * for: what it rejects with is told by a warning of the process.
 *
 * @param context - that of whoever made the call, where this one is another's.
 */
export function callHook<A>(
  name: string,
  hook: (told: A) => unknown,
  told: A,
  context?: AsyncResource,
): CallStatus | undefined {
  try {
    const returned = context === undefined ? hook(told) : context.runInAsyncScope(hook, undefined, told);
    if (returned instanceof Promise) returned.catch((thrown) => warnOfHook(name, thrown));
    return undefined;
  } catch (thrown) {
    return ownStatus(Status.INTERNAL, `${name} threw: ${asError(thrown).message}`, thrown);
  }
}

/**
 * Calls a listener of a generated client, in the async context of whoever made the call. What it throws is thrown where
 * nothing of ours stands, and so is uncaught, as it is with grpc-js; the call goes on, and so do all others.
 */
export function tell<T, A>(
  context: AsyncResource,
  listener: T,
  hear: (this: T, told: A) => void,
  told: A,
): void {
  try {
    context.runInAsyncScope(hear, listener, told);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
