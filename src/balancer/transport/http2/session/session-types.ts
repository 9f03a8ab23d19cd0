import type { Clock } from '../../../../base/clock.js';
import type { BufferPool } from '../frames/buffer-pool.js';
import type { BlockCache } from '../hpack/block-cache.js';
import type { KeepAliveOptions } from './keepalive.js';

export interface SessionOptions {
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly cache: BlockCache;
  /** What the fields of a response may count together, in bytes. */
  readonly maxHeaderListSize: number;
  /** What a server may send on one stream before it is read, in bytes; at least {@link DEFAULT_WINDOW}. */
  readonly streamWindow: number;
  /** What it may send on all of them before we have taken it in, in bytes; at least {@link DEFAULT_WINDOW}. */
  readonly connectionWindow: number;
  /** How long the server may take to acknowledge our SETTINGS, in milliseconds. */
  readonly settingsTimeoutMs: number;
  readonly keepAlive: KeepAliveOptions;
}

/**
 * Who has a session. What it is told may be told from within any method of the session, and before the streams that end
 * with that.
 */
export interface SessionOwner {
  /** There is something to write: call {@link Session.take}, soon. Told again and again until that. */
  wantsWrite(): void;
  /** The server's SETTINGS have come for the first time. */
  ready(): void;
  /** {@link Session.streamLimit} is another. */
  limitChanged(): void;
  /** No stream may be opened any more. Those that are open go on. `tooManyPings`: gRFC A8. */
  draining(tooManyPings: boolean): void;
  /** It is over: what is written is to be sent, and the connection closed. With a fault, that is why. */
  over(fault: string | undefined): void;
}
