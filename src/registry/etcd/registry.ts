import { inBackground } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import { readEvents } from '../event-queue.js';
import { servicePrefix } from '../keys.js';
import type { Registry, RegistryEvent } from '../registry.js';
import { connect } from './connect.js';
import { type EtcdOptions, type EtcdSettings, etcdSettings } from './settings.js';
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
  #closed = false;

  /** @throws BalancerError INVALID_OPTION, naming what cannot be. Does not connect. */
  constructor(options: EtcdOptions) {
    const settings = etcdSettings(options);
    // Calls keep the process alive, and not the watch beside them.
    this.#settings = { ...settings, clock: inBackground(settings.clock), background: true };
    // What is wrong with a certificate is to show here, and not at the first session.
    connect(this.#settings).close();
  }

  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    if (this.#closed) throw new BalancerError('CLOSED', 'the registry is closed');
    return this.#read(service, servicePrefix(this.#settings, service), signal);
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
    const watch = new WatchLoop(service, keysBegin, this.#settings);
    this.#watches.add(watch);
    yield* readEvents(watch.queue, signal, async () => {
      await watch.stop();
      this.#watches.delete(watch);
    });
  }
}
