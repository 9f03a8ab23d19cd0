import { BalancerError } from '../../base/errors.js';
import { readEvents } from '../event-queue.js';
import type { Registry, RegistryEvent } from '../registry.js';
import { parseServiceName } from './service-name.js';
import { type KubernetesOptions, type KubernetesSettings, kubernetesSettings } from './settings.js';
import { WatchLoop } from './watch-loop.js';

/**
 * The ready pods of Kubernetes Services, by their EndpointSlices (discovery.k8s.io/v1, Kubernetes 1.21 or newer). A service is
 * `[namespace/]name[:port]`. Endpoints are pods, called directly: no kube-proxy, no virtual IP between.
 *
 * Each watch is a chain of sessions: a list, and the watches that continue it. When a session cannot be trusted any more
 * (an error, silence, a forgotten revision) the watch says `stale`, and begins anew with a list.
 *
 * It needs to `list` and `watch` EndpointSlices in the namespace of the service.
 */
export class KubernetesRegistry implements Registry, AsyncDisposable {
  readonly #settings: KubernetesSettings;
  readonly #watches = new Set<WatchLoop>();
  #closed = false;

  /** @throws BalancerError INVALID_OPTION, naming what cannot be, or is missing of a configuration. Does not connect. */
  constructor(options: KubernetesOptions = {}) {
    this.#settings = kubernetesSettings(options);
  }

  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    if (this.#closed) throw new BalancerError('CLOSED', 'the registry is closed');
    const name = parseServiceName(service, this.#settings);
    return this.#read(() => new WatchLoop(service, name, this.#settings), signal);
  }

  /** Ends every watch. Resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#watches].map((watch) => watch.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#read(begin: () => WatchLoop, signal: AbortSignal): AsyncGenerator<RegistryEvent, void, undefined> {
    if (this.#closed || signal.aborted) return;
    const watch = begin();
    this.#watches.add(watch);
    yield* readEvents(watch.queue, signal, async () => {
      await watch.stop();
      this.#watches.delete(watch);
    });
  }
}
