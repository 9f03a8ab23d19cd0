import { retryUntilAborted } from '../backoff.js';
import type { Clock } from '../clock.js';
import { BalancerError } from '../errors.js';
import type { Random } from '../random.js';
import type { Registry, RegistryEvent } from '../registry/registry.js';

const REWATCH = { baseMs: 100, maxMs: 1_500 };

/**
 * Follows a registry until the signal aborts. A watch that ends or fails before that is told as `stale` and started
 * anew: a registry may be any async generator, and none may end the pool.
 */
export async function followRegistry(
  registry: Registry,
  service: string,
  signal: AbortSignal,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  tell: (event: RegistryEvent) => void,
): Promise<void> {
  const watchOnce = async () => {
    const events = registry.watch(service, signal)[Symbol.asyncIterator]();
    for (;;) {
      const next = await unlessAborted(events.next(), signal);
      if (next === undefined) {
        // Not awaited: it may be a generator that does not hear of the signal.
        void events.return?.().catch(() => {});
        return;
      }
      if (next.done === true) break;
      tell(next.value);
    }
    throw new BalancerError('REGISTRY_UNAVAILABLE', `the registry ended its watch of ${service}`);
  };
  const onFailure = (cause: Error) => tell({ kind: 'stale', cause });
  await retryUntilAborted(watchOnce, { ...REWATCH, clock, random, signal, onFailure }).catch(
    (thrown: unknown) => {
      if (!signal.aborted) throw thrown;
    },
  );
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) resolve(undefined);
    const aborted = () => resolve(undefined);
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}
