import { BalancerError } from '../../base/errors.js';
import { readEvents } from '../event-queue.js';
import type { Registry, RegistryEvent } from '../registry.js';
import { type DnsOptions, type DnsSettings, dnsSettings } from './settings.js';
import { parseTarget } from './target.js';
import { WatchLoop } from './watch-loop.js';

/**
 * The endpoints that DNS tells of: a service is `host:port`, for its A and AAAA records, or `_service._tcp.domain`, for its
 * SRV records. Endpoints are IP addresses; TLS and `:authority` have the name (metadata `authority`).
 *
 * DNS does not tell of changes, it is asked: when what it told has lived its time (where that is known, else every
 * `intervalMs`), and at once, though twice a second at most, when a connection is lost or cannot be made. An answer that
 * fails or is empty makes the table `stale`, and leaves it as it was.
 */
export class DnsRegistry implements Registry, AsyncDisposable {
  readonly #settings: DnsSettings;
  readonly #watches = new Map<WatchLoop, string>();
  #closed = false;

  /** @throws BalancerError INVALID_OPTION, naming what cannot be. Asks nobody. */
  constructor(options: DnsOptions = {}) {
    this.#settings = dnsSettings(options);
  }

  watch(service: string, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    if (this.#closed) throw new BalancerError('CLOSED', 'the registry is closed');
    const target = parseTarget(service);
    if (target.kind === 'srv' && !this.#settings.srv) {
      throw new BalancerError(
        'INVALID_OPTION',
        `service ${service} is SRV, of which resolver "system" knows nothing`,
      );
    }
    return this.#read(() => new WatchLoop(service, target, this.#settings), service, signal);
  }

  refresh(service: string): void {
    for (const [watch, watched] of this.#watches) if (watched === service) watch.refresh();
  }

  /** Ends every watch. Resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#watches.keys()].map((watch) => watch.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#read(
    begin: () => WatchLoop,
    service: string,
    signal: AbortSignal,
  ): AsyncGenerator<RegistryEvent, void, undefined> {
    if (this.#closed || signal.aborted) return;
    const watch = begin();
    this.#watches.set(watch, service);
    yield* readEvents(watch.queue, signal, async () => {
      await watch.stop();
      this.#watches.delete(watch);
    });
  }
}
