import { EtcdRegistry } from '../../src/registry/etcd/registry.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import type { Registry } from '../../src/registry/registry.js';
import { findEtcd } from '../../test/support/ensure-etcd.js';
import { startEtcd } from '../../test/support/etcd.js';
import type { ServerProcessOptions } from '../../test/support/server-process.js';

export type RegistryKind = 'etcd' | 'memory';

/** A registry that the demo can stop and start. */
export interface DemoRegistry {
  readonly kind: RegistryKind;
  /** For people. */
  readonly name: string;
  /** Which one, and why that. */
  readonly description: string;
  readonly registry: Registry;
  /** How a server process announces itself there. */
  readonly forServers: Pick<ServerProcessOptions, 'announceTo' | 'leases'>;
  stop(): Promise<void>;
  /** Resolves once it answers again, with the data that it had. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** In this process: the servers hold their leases over their IPC channels. */
function memoryRegistry(why: string): DemoRegistry {
  const registry = new MemoryRegistry();
  return {
    kind: 'memory',
    name: 'The registry',
    description: `in memory (${why})`,
    registry,
    forServers: { announceTo: { kind: 'ipc' }, leases: registry.leases },
    stop: async () => registry.stop(),
    start: async () => registry.start(),
    close: () => registry.close(),
  };
}

/** A real one, in a process of its own with a temporary directory. */
async function etcdRegistry(binary: string, signal: AbortSignal): Promise<DemoRegistry> {
  const etcd = await startEtcd({ signal });
  const registry = new EtcdRegistry({ hosts: etcd.url });
  return {
    kind: 'etcd',
    name: 'etcd',
    description: `etcd (${binary}, at ${etcd.url})`,
    registry,
    forServers: { announceTo: { kind: 'etcd', hosts: [etcd.url] } },
    stop: () => etcd.stop(),
    start: () => etcd.start(),
    async close() {
      await registry.close();
      await etcd.close();
    },
  };
}

/**
 * @param wanted - undefined: etcd where there is one.
 * @param signal - ends it while it starts.
 * @throws when etcd is wanted, and there is none or it does not start.
 */
export async function openRegistry(
  wanted: RegistryKind | undefined,
  signal: AbortSignal,
): Promise<DemoRegistry> {
  if (wanted === 'memory') return memoryRegistry('as asked');
  const binary = findEtcd();
  if (binary !== undefined) return etcdRegistry(binary, signal);
  if (wanted === undefined) return memoryRegistry('there is no etcd on PATH or in $ETCD_BIN');
  throw new Error('there is no etcd on PATH or in $ETCD_BIN; install one, or leave --registry etcd out');
}
