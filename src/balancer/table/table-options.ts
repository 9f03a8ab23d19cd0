import type { Endpoint } from '../../base/endpoint.js';
import type { RemovalGuardOptions } from './removal-guard.js';
import type { SubsetOptions } from './subset.js';

/** How the table connects, and lets go. */
export interface TableOptions {
  /** Most subchannels that connect at the same time. */
  readonly maxConnecting: number;
  /** How long a subchannel may be connecting, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long the calls of a removed endpoint may go on, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** The waits between attempts to connect: `baseMs x 1.6^n`, +- 20 %, at most `maxMs`. */
  readonly reconnect: { readonly baseMs: number; readonly maxMs: number };
  /** Most pending calls on an endpoint; `Infinity` for no limit. */
  readonly maxPending: (endpoint: Endpoint) => number;
  /** A row serves when its health service says so, and not before. */
  readonly healthChecked?: boolean;
  /** Without it, every removal is believed. */
  readonly guard?: RemovalGuardOptions | undefined;
  /** Without it, every endpoint is connected. */
  readonly subset?: SubsetOptions | undefined;
}
