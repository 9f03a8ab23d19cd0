import { BalancerError } from '../../errors.js';
import { readEvents } from '../event-queue.js';
import { servicePrefix } from '../keys.js';
import type { Registry, RegistryEvent } from '../registry.js';
import { type EtcdOptions, type EtcdSettings, etcdSettings } from './client.js';
import { WatchLoop } from './watch-loop.js';

/**
 * The endpoints that are announced in etcd (3.4 or newer).
 *
 * Each watch is a chain of sessions: a snapshot of all the keys, and the stream of changes after it. When a session
 * cannot be trusted any more (an error, silence, a member without a leader, a compaction, a store that is older than
 * what was seen) the watch says `stale`, and begins anew with a snapshot, on the next member where there are several.
 */
export class EtcdRegistry implements Registry, AsyncDisposable {
  readonly #settings: EtcdSettings;
  readonly #watches = new Set<WatchLoop>();
  #nextHost: number;
  #closed = false;

  /** @throws BalancerError INVALID_OPTION, naming what cannot be. Does not connect. */
  constructor(options: EtcdOptions) {
    this.#settings = etcdSettings(options);
    this.#nextHost = this.#settings.random(this.#settings.hosts.urls.length);
  }

  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    if (this.#closed) throw new BalancerError('CLOSED', 'the registry is closed');
    return this.#read(service, servicePrefix(this.#settings.prefix, service), signal);
  }

  /** Ends every watch. Resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#watches].map((watch) => watch.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#read(
    service: string,
    keysBegin: string,
    signal: AbortSignal,
  ): AsyncGenerator<RegistryEvent, void, undefined> {
    if (this.#closed || signal.aborted) return;
    const watch = new WatchLoop(service, keysBegin, this.#settings, () => this.#takeHost());
    this.#watches.add(watch);
    yield* readEvents(watch.queue, signal, async () => {
      await watch.stop();
      this.#watches.delete(watch);
    });
  }

  #takeHost(): string {
    const { urls } = this.#settings.hosts;
    const host = urls[this.#nextHost % urls.length] ?? urls[0];
    this.#nextHost += 1;
    return host;
  }
}
