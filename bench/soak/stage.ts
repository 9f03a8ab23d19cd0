import { setTimeout as delay } from 'node:timers/promises';
import type { PoolOptions } from '../../src/balancer/pool/options.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import { transportNamed } from '../../src/cli/transport.js';
import { EtcdRegistry } from '../../src/registry/etcd/registry.js';
import { type EtcdProcess, startEtcd } from '../../test/support/etcd.js';
import { ServerProcess, type ServerProcessOptions } from '../../test/support/server-process.js';
import { Cleanups } from '../support/cleanups.js';
import type { Run } from '../support/program.js';

/** How long the servers of a pool may take until they are found and connected, in milliseconds. */
const READY_MS = 20_000;

export type ServerOptions = Partial<Omit<ServerProcessOptions, 'service'>>;

/** Where one scenario is played: the processes and pools that it starts, and that end with it. */
export class Stage implements AsyncDisposable {
  readonly service: string;
  /** Aborts when the scenario is over, and when the program is interrupted. */
  readonly signal: AbortSignal;
  readonly #run: Run;
  readonly #cleanups: Cleanups;

  constructor(name: string, run: Run) {
    this.service = name;
    this.#cleanups = new Cleanups(run.signal);
    this.signal = this.#cleanups.signal;
    this.#run = run;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanups[Symbol.asyncDispose]();
  }

  /** Runs when the scenario is over, the last one first; at once when it is. */
  atEnd(cleanup: () => unknown): void {
    this.#cleanups.add(cleanup);
  }

  say(line: string): void {
    this.#run.say(`  ${line}`);
  }

  progress(line: string): void {
    this.#run.progress(`${this.service}: ${line}`);
  }

  /** A table for people. */
  table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
    this.#run.table(columns, rows);
  }

  /** A real server in a process of its own; announced nowhere, unless the options say where. */
  async server(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = await ServerProcess.start({
      service: this.service,
      announceTo: { kind: 'nowhere' },
      signal: this.signal,
      // A certificate is for a name: TLS knows no IP addresses as names of servers (RFC 6066).
      ...(options.tls !== undefined && { address: 'localhost:0' }),
      ...options,
    });
    const kill = () => server.kill();
    this.atEnd(kill);
    // Many are started and stopped in the longer scenarios.
    void server.exited.then(() => this.#cleanups.delete(kill));
    return server;
  }

  servers(count: number, options: ServerOptions = {}): Promise<ServerProcess[]> {
    return Promise.all(Array.from({ length: count }, () => this.server(options)));
  }

  async etcd(): Promise<EtcdProcess> {
    const etcd = await startEtcd({ signal: this.signal });
    this.atEnd(() => etcd.close());
    return etcd;
  }

  /** What is announced in the etcd. */
  registry(etcd: EtcdProcess): EtcdRegistry {
    const registry = new EtcdRegistry({ hosts: etcd.url });
    this.atEnd(() => registry.close());
    return registry;
  }

  /**
   * A pool that is connected to so many endpoints, over what `--transport` says; where a scenario has credentials of
   * grpc-js's own, over grpc-js.
   */
  async pool(ready: number, options: Omit<PoolOptions, 'service'>): Promise<Pool> {
    const http2 = this.#run.transport === 'http2' && options.credentials === undefined;
    const pool = new Pool({
      service: this.service,
      ...transportNamed(http2 ? 'http2' : 'grpc-js'),
      ...options,
    });
    this.atEnd(() => pool.close());
    const until = performance.now() + READY_MS;
    while (pool.snapshot().ready < ready) {
      if (performance.now() > until) {
        throw new Error(`${pool.snapshot().ready} of ${ready} servers connected within ${READY_MS / 1000} s`);
      }
      await this.wait(10);
    }
    return pool;
  }

  /** Does work that gives way to nothing else until it is done. */
  busy<T>(work: () => T): Promise<T> {
    return this.#run.busy(work);
  }

  async wait(ms: number): Promise<void> {
    await delay(Math.max(0, ms), undefined, { signal: this.signal });
  }

  /** Waits until a moment of `performance.now()`. */
  async waitUntil(at: number): Promise<void> {
    await this.wait(at - performance.now());
  }
}
