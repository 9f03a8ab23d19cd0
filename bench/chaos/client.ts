import { Pool } from '../../src/balancer/pool/pool.js';
import type { RegistryState } from '../../src/balancer/pool/snapshot.js';
import { grpcTransport } from '../../src/balancer/transport/grpc-js/transport.js';
import type { Transport } from '../../src/balancer/transport/transport.js';
import { systemClock } from '../../src/base/clock.js';
import type { Logger } from '../../src/base/logger.js';
import { EtcdRegistry } from '../../src/registry/etcd/registry.js';
import type { EtcdAuth } from '../../src/registry/etcd/token.js';
import { AppliedRevisions } from './applied-revisions.js';
import { mixedTransport } from './fake-connections.js';
import { Load } from './load.js';

export interface ClientOptions {
  readonly service: string;
  readonly keysBegin: string;
  /** Where etcd is reached. */
  readonly hosts: readonly string[];
  readonly auth?: EtcdAuth;
  /** How long a call may take, in milliseconds. Default 5,000. */
  readonly callTimeoutMs?: number;
  /** Default: fake connections to the addresses of nowhere, real ones to all others. */
  readonly transport?: Transport;
  /** What makes the real ones. Default: grpc-js. */
  readonly real?: Transport | undefined;
  /** How many calls are made. Default 200. */
  readonly callsPerSecond?: number;
  /** What a call is. Default: a unary one to a server. */
  readonly call?: (pool: Pool) => Promise<unknown>;
}

const CALLS_PER_SECOND = 200;
const CALL_TIMEOUT_MS = 5_000;

/** What the faults are done to: a pool over etcd, the calls through it, and all that is observed of both. */
export class Client implements AsyncDisposable {
  readonly pool: Pool;
  readonly load: Load;
  readonly applied: AppliedRevisions;
  readonly #registry: EtcdRegistry;
  readonly #registryLines = new Lines();
  readonly #poolLines = new Lines();
  /** What the pool said of its registry, from the first `current` on. */
  readonly #said: RegistryState[] = [];
  /** Servers put out for failing, or back in. */
  #ejections = 0;
  readonly #listening: Promise<void>;

  constructor(options: ClientOptions) {
    const { service, keysBegin, hosts, auth, callTimeoutMs: timeoutMs = CALL_TIMEOUT_MS, call } = options;
    this.applied = new AppliedRevisions(keysBegin);
    this.#registry = new EtcdRegistry({ hosts, logger: this.#registryLines, ...(auth && { auth }) });
    this.pool = new Pool({
      registry: this.#registry,
      service,
      logger: this.#poolLines,
      transport: options.transport ?? mixedTransport(options.real ?? grpcTransport({ clock: systemClock })),
    });
    this.#listening = this.#listen();
    const { callsPerSecond: perSecond = CALLS_PER_SECOND } = options;
    this.load =
      call === undefined
        ? Load.of(this.pool, { perSecond, timeoutMs })
        : new Load(perSecond, () => call(this.pool));
  }

  /** How many endpoints are connected. */
  get connected(): number {
    return this.pool.snapshot().subchannels.filter(({ state }) => state.kind === 'ready').length;
  }

  /** Whether the pool calls its table current. */
  get current(): boolean {
    return this.#said.at(-1)?.kind === 'current';
  }

  /** Milliseconds from then until the pool said that its table was stale; undefined when it did not. */
  staleSaidMs(since: number): number | undefined {
    const stale = this.#said.find(({ kind, since: at }) => kind === 'stale' && at >= since);
    return stale && stale.since - since;
  }

  /** How often the pool said that its table was stale. */
  get timesStale(): number {
    return this.#said.filter(({ kind }) => kind === 'stale').length;
  }

  /** Lines logged beyond one for each change of state, by the registry and by the pool. */
  get surplusLines(): string[] {
    const changes = Math.max(0, this.#said.length - 1);
    return [
      ...this.#registryLines.lines.slice(changes),
      ...this.#poolLines.lines.slice(changes + this.#ejections),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Together: calls that wait for a server end with the pool.
    await Promise.all([this.load.stop(), this.pool.close()]);
    await this.#listening;
    await this.#registry.close();
    this.applied[Symbol.dispose]();
  }

  async #listen(): Promise<void> {
    for await (const event of this.pool.events()) {
      if (event.kind === 'registry') this.#hear(event.state);
      else if (event.kind === 'ejected' || event.kind === 'returned') this.#ejections++;
      // Big snapshots are more events than are kept for a reader.
      else if (event.kind === 'lagged') this.#hear(this.pool.snapshot().registry);
    }
  }

  #hear(state: RegistryState): void {
    const last = this.#said.at(-1);
    if (state.kind === 'waiting' || state.kind === last?.kind) return;
    this.#said.push(state);
  }
}

class Lines implements Logger {
  readonly lines: string[] = [];

  info(line: string): void {
    this.lines.push(line);
  }

  warn(line: string): void {
    this.lines.push(line);
  }
}
