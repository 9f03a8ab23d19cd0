import { BUFFER_SIZE, BufferPool } from './frames/buffer-pool.js';
import { BlockCache } from './hpack/block-cache.js';
import type { Settings } from './options.js';
import { TlsSessions } from './socket/tls.js';

/** What all connections of a transport have together, so that each of them is small. */
export class Shared {
  readonly pool = new BufferPool();
  readonly cache = new BlockCache();
  readonly sessions = new TlsSessions();
  /** What is read on any of them is in here while it is taken in. */
  readonly readBuffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);

  constructor(readonly settings: Settings) {}
}
