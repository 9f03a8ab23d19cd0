import type { HealthWatch } from '../transport/health-watch.js';
import type { Connection } from '../transport/transport.js';

/** What the pool hangs on a row of its table: its connection to the address. A row that has been READY has one. */
export interface Subchannel {
  connection: Connection | undefined;
  /** What is to take its place, because it has fallen silent. */
  renewal: { connection: Connection | undefined; readonly cancelTimer: () => void } | undefined;
  /** Connections that were given up, and on which calls still run. */
  former: readonly Connection[];
  health: HealthWatch | undefined;
}
