/** What the servers of the fuzz say first. */
export interface BackendReady {
  readonly addresses: readonly string[];
}

/** What they say when they are asked. */
export interface BackendReport {
  /** Calls that are not over. */
  readonly open: number;
}

/** What the gateway of the fuzz says first. */
export interface GatewayReady {
  readonly port: number;
}

/** What it says when it is asked. */
export interface GatewayReport {
  /** In bytes, after garbage was collected. */
  readonly heap: number;
  readonly connections: number;
  /** Errors that nobody caught. */
  readonly unhandled: readonly string[];
  /** What it did not expect, as it was logged. */
  readonly unexpected: readonly string[];
  /** Connections to servers that were lost, and servers that were taken out. */
  readonly lost: readonly string[];
}
