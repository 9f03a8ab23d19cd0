import type { Pool } from '../../src/balancer/pool/pool.js';
import { openPool } from './modes.js';
import { startServers } from './servers.js';

const SERVERS = 4;

/** Four servers, each in a process of its own. */
export async function withServers<T>(
  signal: AbortSignal,
  use: (addresses: readonly string[]) => Promise<T>,
): Promise<T> {
  const servers = await startServers(SERVERS, signal);
  try {
    return await use(servers.addresses);
  } finally {
    servers.close();
  }
}

/** A pool in this process, connected to servers of its own. */
export async function withPool(signal: AbortSignal, use: (pool: Pool) => Promise<void>): Promise<void> {
  await withServers(signal, async (addresses) => {
    const pool = await openPool(addresses);
    try {
      await use(pool);
    } finally {
      await pool.close();
    }
  });
}
