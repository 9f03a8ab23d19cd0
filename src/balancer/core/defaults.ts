import type { RemovalGuardOptions } from '../table/removal-guard.js';
import type { TableOptions } from '../table/table-options.js';

// What a pool does unless it is told otherwise, here and not in pool.ts for the simulator, which has no pool.

/** Most calls that wait. */
export const MAX_WAITING = 10_000;

export const POOL_TABLE = {
  /** More than this at once only make each other late, and a fleet's accept queues full. */
  maxConnecting: 64,
  connectTimeoutMs: 20_000,
  drainTimeoutMs: 30_000,
  /**
   * Shorter than gRPC's 1 s to 120 s: a row is announced by a server that lives, or is gone when its lease ends, so there
   * is no dead address to be polite to for long.
   */
  reconnect: { baseMs: 250, maxMs: 15_000 },
} as const satisfies Partial<TableOptions>;

export const MASS_REMOVAL_GUARD: RemovalGuardOptions = {
  windowMs: 10_000,
  fraction: 0.5,
  minimum: 3,
  graceMs: 60_000,
};
