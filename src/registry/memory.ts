import { type Clock, inBackground, systemClock } from '../base/clock.js';
import type { Endpoint, EndpointInit } from '../base/endpoint.js';
import { BalancerError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { type Random, systemRandom } from '../base/random.js';
import { EventQueue, readEvents } from './event-queue.js';
import { DEFAULT_PREFIX, isKeyOf, servicePrefix } from './keys.js';
import type { LeaseStore } from './leases.js';
import { MemoryLeases } from './memory-leases.js';
import { LeaseRegistrar } from './registrar.js';
import type { RegisterOptions, Registrar, Registration, Registry, RegistryEvent } from './registry.js';

export interface MemoryRegistryOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

interface Watch {
  readonly keysBegin: string;
  readonly queue: EventQueue;
}

/**
 * A registry in this process's memory, and the registrar to it: the same keys, leases and states as in etcd.
 *
 * For tests, and for programs that hold all their servers themselves. Leases end by its clock, whose timers keep no
 * process alive.
 */
export class MemoryRegistry implements Registry, Registrar, AsyncDisposable {
  readonly #leases: MemoryLeases;
  readonly #registrar: LeaseRegistrar;
  readonly #watches = new Set<Watch>();
  #closed = false;

  constructor({
    clock = systemClock,
    random = systemRandom(),
    logger = silentLogger,
  }: MemoryRegistryOptions = {}) {
    const background = inBackground(clock);
    this.#leases = new MemoryLeases(background, (put, removed) => this.#tell(put, removed));
    this.#registrar = new LeaseRegistrar({
      leases: this.#leases,
      prefix: DEFAULT_PREFIX,
      clock: background,
      random,
      logger,
      allowUnix: true,
    });
  }

  /** What registrars in other processes may drive over a channel, with a {@link LeaseRegistrar} at its other end. */
  get leases(): LeaseStore {
    return this.#leases;
  }

  get running(): boolean {
    return this.#leases.running;
  }

  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    if (this.#closed) throw new BalancerError('CLOSED', 'the registry is closed');
    const watch: Watch = {
      keysBegin: servicePrefix({ prefix: DEFAULT_PREFIX }, service),
      queue: new EventQueue(),
    };
    return this.#read(watch, signal);
  }

  register(service: string, endpoint: EndpointInit, options?: RegisterOptions): Registration {
    return this.#registrar.register(service, endpoint, options);
  }

  /** Refuses everything until {@link start}: registrations cannot beat, watches are stale. */
  stop(): void {
    if (!this.running) return;
    this.#leases.stop();
    for (const { queue } of this.#watches) queue.push(stopped());
  }

  /** Goes on with the data that it has; every lease gets its full time again. */
  start(): void {
    if (this.running) return;
    this.#leases.start();
    for (const watch of this.#watches) watch.queue.push(this.#snapshot(watch));
  }

  /** Removes a key behind its holder's back, as an operator would. False when there is none. */
  remove(id: string): Promise<boolean> {
    return this.#leases.remove(id);
  }

  /** Closes every registration and ends every watch. What others hold by {@link leases} ends with its leases. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#registrar.close();
    for (const { queue } of this.#watches) queue.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#read(watch: Watch, signal: AbortSignal): AsyncGenerator<RegistryEvent, void, undefined> {
    watch.queue.push(this.running ? this.#snapshot(watch) : stopped());
    this.#watches.add(watch);
    yield* readEvents(watch.queue, signal, () => {
      this.#watches.delete(watch);
    });
  }

  #snapshot({ keysBegin }: Watch): RegistryEvent {
    const endpoints = [...this.#leases.endpoints()].filter(({ id }) => isKeyOf(keysBegin, id));
    return { kind: 'snapshot', endpoints };
  }

  #tell(put: readonly Endpoint[], removed: readonly string[]): void {
    for (const { keysBegin, queue } of this.#watches) {
      const mine = {
        kind: 'changes',
        put: put.filter(({ id }) => isKeyOf(keysBegin, id)),
        removed: removed.filter((id) => isKeyOf(keysBegin, id)),
      } as const;
      if (mine.put.length > 0 || mine.removed.length > 0) queue.push(mine);
    }
  }
}

function stopped(): RegistryEvent {
  return {
    kind: 'stale',
    cause: new BalancerError('REGISTRY_UNAVAILABLE', 'the in-memory registry is stopped'),
  };
}
