import { channel } from 'node:diagnostics_channel';
import { attemptDiagnostics } from '../calls/diagnostics.js';
import type { PoolEvent } from './events.js';

/** An event of a pool: ejections, drains, changes of state; see {@link PoolEvent}. */
export interface PoolEventMessage {
  readonly service: string;
  readonly event: PoolEvent;
}

/**
 * What evenkeel publishes on `node:diagnostics_channel`, for tracing and metrics. Clients that bypass grpc-js's own
 * `Client` lose what instruments that; this takes its place. A message is built only when somebody listens.
 *
 * - `evenkeel:attempt:start`: {@link AttemptMessage}
 * - `evenkeel:attempt:end`: {@link AttemptEndMessage}
 * - `evenkeel:pool`: {@link PoolEventMessage}
 */
export const diagnostics = {
  ...attemptDiagnostics,
  pool: channel('evenkeel:pool'),
};
