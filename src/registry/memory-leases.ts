import type { Clock } from '../base/clock.js';
import type { Endpoint } from '../base/endpoint.js';
import { BalancerError } from '../base/errors.js';
import type { KeyHolder, LeaseStore } from './leases.js';

interface Lease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  /** Takes back its end. */
  cancel: () => void;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly lease: string;
  readonly revision: bigint;
}

/** Endpoints under leases in this process's memory, with etcd's behaviour. Leases end on the clock. */
export class MemoryLeases implements LeaseStore {
  readonly #clock: Clock;
  readonly #changed: (put: readonly Endpoint[], removed: readonly string[]) => void;
  readonly #leases = new Map<string, Lease>();
  readonly #entries = new Map<string, Entry>();
  #running = true;
  #revision = 0n;

  /** @param changed - hears of every change, in order, in the turn in which it is made. */
  constructor(clock: Clock, changed: (put: readonly Endpoint[], removed: readonly string[]) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get running(): boolean {
    return this.#running;
  }

  *endpoints(): Generator<Endpoint> {
    for (const { endpoint } of this.#entries.values()) yield endpoint;
  }

  /** From now on every operation is refused, and no lease ends: nobody is there to end it. */
  stop(): void {
    this.#running = false;
    for (const lease of this.#leases.values()) lease.cancel();
  }

  /** Serves again what it held, every lease with its full time (as etcd does when it has restarted). */
  start(): void {
    this.#running = true;
    for (const [id, lease] of this.#leases) this.#renew(id, lease);
  }

  async grant(id: string, ttlSeconds: number): Promise<void> {
    this.#mustRun();
    if (this.#leases.has(id)) return;
    const lease: Lease = { ttlMs: ttlSeconds * 1000, keys: new Set(), cancel: () => {} };
    this.#leases.set(id, lease);
    this.#renew(id, lease);
  }

  async keepAlive(id: string): Promise<boolean> {
    this.#mustRun();
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    this.#renew(id, lease);
    return true;
  }

  async holder(key: string): Promise<KeyHolder | undefined> {
    this.#mustRun();
    const entry = this.#entries.get(key);
    return entry && { lease: entry.lease, revision: entry.revision };
  }

  async put(endpoint: Endpoint, id: string, ifRevision: bigint): Promise<'put' | 'changed' | 'lease-gone'> {
    this.#mustRun();
    const before = this.#entries.get(endpoint.id);
    if ((before?.revision ?? 0n) !== ifRevision) return 'changed';
    const lease = this.#leases.get(id);
    if (lease === undefined) return 'lease-gone';
    if (before !== undefined) this.#leases.get(before.lease)?.keys.delete(endpoint.id);
    lease.keys.add(endpoint.id);
    this.#revision += 1n;
    this.#entries.set(endpoint.id, { endpoint, lease: id, revision: this.#revision });
    this.#changed([endpoint], []);
    return 'put';
  }

  async revoke(id: string): Promise<void> {
    this.#mustRun();
    this.#end(id);
  }

  /** Removes keys as an operator would, behind the backs of those who hold them. */
  async remove(key: string): Promise<boolean> {
    this.#mustRun();
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#leases.get(entry.lease)?.keys.delete(key);
    this.#entries.delete(key);
    this.#revision += 1n;
    this.#changed([], [key]);
    return true;
  }

  #renew(id: string, lease: Lease): void {
    lease.cancel();
    lease.cancel = this.#clock.after(lease.ttlMs, () => this.#end(id));
  }

  #end(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.cancel();
    this.#leases.delete(id);
    if (lease.keys.size === 0) return;
    for (const key of lease.keys) this.#entries.delete(key);
    this.#revision += 1n;
    this.#changed([], [...lease.keys]);
  }

  #mustRun(): void {
    if (!this.#running) throw new BalancerError('REGISTRY_UNAVAILABLE', 'the in-memory registry is stopped');
  }
}
