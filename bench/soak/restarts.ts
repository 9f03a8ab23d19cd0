import type { EtcdProcess } from '../../test/support/etcd.js';
import type { Exit, ServerProcess } from '../../test/support/server-process.js';
import type { ServerOptions, Stage } from './stage.js';

export const SERVERS = 5;
/** How often the next server is stopped, in milliseconds. */
const EVERY_MS = 2_000;
/** How long a server that was killed is still announced. */
const TTL_SECONDS = 5;

/** A server that was stopped. Times are those of `performance.now()`. */
export interface Stopped {
  readonly address: string;
  readonly signalledAt: number;
  readonly exitedAt: number;
  readonly exit: Exit;
}

/** Five servers that are announced in etcd, and are restarted in turn. */
export class Restarts {
  private constructor(
    private readonly stage: Stage,
    private readonly options: ServerOptions,
    private readonly servers: ServerProcess[],
  ) {}

  static async start(stage: Stage, etcd: EtcdProcess, options: ServerOptions = {}): Promise<Restarts> {
    const all: ServerOptions = {
      announceTo: { kind: 'etcd', hosts: [etcd.url] },
      ttlSeconds: TTL_SECONDS,
      ...options,
    };
    return new Restarts(stage, all, await stage.servers(SERVERS, all));
  }

  /** Restarts one after the other for so long, in whole rounds. Resolves when all are there again. */
  async rounds(signal: NodeJS.Signals, seconds: number): Promise<Stopped[]> {
    const rounds = Math.max(1, Math.round((seconds * 1000) / EVERY_MS / SERVERS));
    const beganAt = performance.now();
    const restarts: Promise<Stopped>[] = [];
    for (let n = 0; n < rounds * SERVERS; n++) {
      await this.stage.waitUntil(beganAt + n * EVERY_MS);
      restarts.push(this.#begin(n, signal));
    }
    return Promise.all(restarts);
  }

  /** Restarts one after the other, until it is to end. */
  endless(signal: NodeJS.Signals): { end(): Promise<Stopped[]> } {
    const restarts: Promise<Stopped>[] = [];
    const timer = setInterval(() => restarts.push(this.#begin(restarts.length, signal)), EVERY_MS);
    this.stage.atEnd(() => clearInterval(timer));
    return {
      end: () => {
        clearInterval(timer);
        return Promise.all(restarts);
      },
    };
  }

  /** A restart under way when the scenario ends early rejects then, and nobody may be there to hear of it. */
  #begin(n: number, signal: NodeJS.Signals): Promise<Stopped> {
    const restart = this.#restart(n, signal);
    restart.catch(() => {});
    return restart;
  }

  async #restart(n: number, signal: NodeJS.Signals): Promise<Stopped> {
    const index = n % SERVERS;
    // As on a machine of its own, and as in a new container: in every second round at the address that it had.
    const sameAddress = Math.floor(n / SERVERS) % 2 === 1;
    const server = this.servers[index]!;
    const { address } = server;
    const signalledAt = performance.now();
    const exit = await server.kill(signal);
    const exitedAt = performance.now();
    this.servers[index] = await this.stage.server({ ...this.options, ...(sameAddress && { address }) });
    return { address, signalledAt, exitedAt, exit };
  }
}
