import { Client, credentials } from '@grpc/grpc-js';
import { Pool, staticRegistry } from '../../src/index.js';
import { startServers } from '../overhead/servers.js';
import { gc, heapUsed } from '../support/heap.js';
import type { Part, Run } from '../support/program.js';

const CONNECTIONS = 500;

/** Heap of an idle, connected subchannel, beside that of a bare grpc-js client. For reading: no target hangs on it. */
async function measureIdle(run: Run): Promise<void> {
  const servers = await startServers(1, run.signal, CONNECTIONS);
  const unlessAborted = <T>(promise: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const aborted = () => reject(run.signal.reason);
      run.signal.addEventListener('abort', aborted, { once: true });
      promise.then(resolve, reject).finally(() => run.signal.removeEventListener('abort', aborted));
    });
  const perConnectionKiB = async (open: () => Promise<() => Promise<void>>) => {
    await gc();
    const before = heapUsed();
    const close = await unlessAborted(open());
    await gc();
    const KiB = (heapUsed() - before) / 1_024 / CONNECTIONS;
    await close();
    return KiB;
  };
  const bareClients = async () => {
    const clients = servers.addresses.map((address) => new Client(address, credentials.createInsecure()));
    await Promise.all(
      clients.map((client) => new Promise((resolve) => client.waitForReady(Date.now() + 20_000, resolve))),
    );
    return async () => {
      for (const client of clients) client.close();
    };
  };
  const pool = async () => {
    const opened = new Pool({
      registry: staticRegistry(servers.addresses),
      service: 'bench',
      keepAlive: true,
    });
    for await (const _ of opened.events()) if (opened.snapshot().ready === CONNECTIONS) break;
    return () => opened.close();
  };
  try {
    // The first of each pays for what is loaded once.
    await perConnectionKiB(bareClients);
    await perConnectionKiB(pool);
    const bare = await perConnectionKiB(bareClients);
    const subchannel = await perConnectionKiB(pool);
    run.table(
      ['connected and idle', 'KiB of heap'],
      [
        ['bare grpc-js client', bare],
        ['subchannel of a pool', subchannel],
      ],
    );
    run.record('idleKiB', { connections: CONNECTIONS, bare, subchannel });
  } finally {
    servers.close();
  }
}

export const memoryParts: readonly Part[] = [{ name: 'memory', targets: [], run: measureIdle }];
