import { type Clock, sleep } from '../base/clock.js';

/** What serves, and is to end. */
export interface Running {
  /** Aborted first: `/readyz` says so from then on. */
  readonly closing: AbortController;
  /** Undefined before it listens. */
  readonly app: { close(): PromiseLike<unknown> } | undefined;
  readonly pools: Iterable<{ close(): Promise<unknown> }>;
}

/**
 * Ends a gateway in good order: whoever sends requests sees by `/readyz` that it is about to close, and goes elsewhere
 * within `lameDuckMs`, meanwhile all is served; then requests in flight finish, and then the pools close.
 */
export async function endInOrder(
  { closing, app, pools }: Running,
  lameDuckMs: number,
  clock: Clock,
): Promise<void> {
  closing.abort();
  if (app !== undefined) {
    await sleep(clock, lameDuckMs);
    await app.close();
  }
  await Promise.all(Array.from(pools, (pool) => pool.close()));
}
