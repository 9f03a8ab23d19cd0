import { Pool } from '../../../src/balancer/pool/pool.js';
import type { RegistryState } from '../../../src/balancer/pool/snapshot.js';
import { KubernetesRegistry } from '../../../src/registry/kubernetes/index.js';
import { mappedRegistry } from '../../../test/support/mapped-registry.js';
import { Load } from '../load.js';
import { POD_IP } from './pods.js';

const CALLS_PER_SECOND = 100;
const CALL_TIMEOUT_MS = 5_000;

/** What the faults are done to: a pool over Kubernetes, the calls through it, and what the pool says. */
export class KubeClient implements AsyncDisposable {
  readonly pool: Pool;
  readonly load: Load;
  readonly #registry: KubernetesRegistry;
  readonly #lines: string[] = [];
  /** What the pool said of its registry, from the first `current` on. */
  readonly #said: RegistryState[] = [];
  readonly #listening: Promise<void>;

  constructor(kubeconfig: string, service: string) {
    const log = (line: string) => void this.#lines.push(line);
    this.#registry = new KubernetesRegistry({ kubeconfig, logger: { info: log, warn: log } });
    // The servers are on loopback, where the API server lets no pod be.
    const registry = mappedRegistry(this.#registry, (name) => name, new Map([[POD_IP, '127.0.0.1']]));
    this.pool = new Pool({ registry, service });
    this.#listening = this.#listen();
    this.load = Load.of(this.pool, { perSecond: CALLS_PER_SECOND, timeoutMs: CALL_TIMEOUT_MS });
  }

  get connected(): number {
    return this.pool.snapshot().subchannels.filter(({ state }) => state.kind === 'ready').length;
  }

  get current(): boolean {
    return this.#said.at(-1)?.kind === 'current';
  }

  /** What the table announces. */
  get addresses(): readonly string[] {
    const rows = this.pool.snapshot().subchannels;
    const announced = rows.filter(({ state, unconfirmed }) => state.kind !== 'draining' && !unconfirmed);
    return announced.map(({ endpoint }) => endpoint.address).sort();
  }

  /** Milliseconds from then until the pool said that its table was stale; undefined when it did not. */
  staleSaidMs(since: number): number | undefined {
    const stale = this.#said.find(({ kind, since: at }) => kind === 'stale' && at >= since);
    return stale && stale.since - since;
  }

  /** Lines that the registry logged beyond one for each change of state. */
  get surplusLines(): readonly string[] {
    return this.#lines.slice(Math.max(0, this.#said.length - 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.load.stop(), this.pool.close()]);
    await this.#listening;
    await this.#registry.close();
  }

  async #listen(): Promise<void> {
    for await (const event of this.pool.events()) {
      if (event.kind !== 'registry') continue;
      const { state } = event;
      if (state.kind !== 'waiting' && state.kind !== this.#said.at(-1)?.kind) this.#said.push(state);
    }
  }
}
