import { freePorts } from '../../test/support/free-ports.js';
import { ServerProcess } from '../../test/support/server-process.js';
import type { DemoRegistry } from './registries.js';

export const SERVICE = 'demo';
/** How long the registry keeps a server that was killed, in seconds. */
const TTL_SECONDS = 3;

/** How long a server takes for a call, in milliseconds: enough for some to be in flight when it is killed. */
const SERVICE_MS = 5;

const NAMES = ['A', 'B', 'C', 'D'] as const;
export type ServerName = (typeof NAMES)[number];

/** The server processes, by name, each with a port of its own. */
export class Cluster {
  readonly #announcing: DemoRegistry['forServers'];
  readonly #signal: AbortSignal;
  readonly #addresses = new Map<ServerName, string>();
  readonly #servers = new Map<ServerName, ServerProcess>();
  readonly #starting = new Set<Promise<unknown>>();

  /** @param signal - ends the servers that are being started. */
  constructor(announcing: DemoRegistry['forServers'], signal: AbortSignal) {
    this.#announcing = announcing;
    this.#signal = signal;
  }

  /** Starts it, or starts it again at its old address. Resolves once it listens. */
  start(name: ServerName): Promise<ServerProcess> {
    const start = this.#start(name).finally(() => this.#starting.delete(start));
    this.#starting.add(start);
    return start;
  }

  /** The one that was started last under this name. */
  get(name: ServerName): ServerProcess {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`server ${name} was never started`);
    return server;
  }

  /** Those that run, by name. */
  get running(): readonly ServerProcess[] {
    return NAMES.flatMap((name) => this.#servers.get(name) ?? []).filter((server) => server.running);
  }

  /** The name that goes with an address; the address itself when none does. */
  nameOf(address: string): string {
    return NAMES.find((name) => this.#addresses.get(name) === address) ?? address;
  }

  /** Kills them all, those that are being started too. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#servers.values()].map((server) => server.kill()));
  }

  async #start(name: ServerName): Promise<ServerProcess> {
    const address = this.#addresses.get(name) ?? (await this.#freeAddress());
    this.#addresses.set(name, address);
    const server = await ServerProcess.start({
      service: SERVICE,
      ...this.#announcing,
      address,
      ttlSeconds: TTL_SECONDS,
      delayMs: SERVICE_MS,
      recordNumbers: true,
      signal: this.#signal,
    });
    this.#servers.set(name, server);
    return server;
  }

  async #freeAddress(): Promise<string> {
    const taken = [...this.#addresses.values()];
    for (;;) {
      const [port] = await freePorts(1);
      const address = `127.0.0.1:${port}`;
      if (!taken.includes(address)) return address;
    }
  }
}
