import { retryUntilAborted } from '../../base/backoff.js';
import type { Clock } from '../../base/clock.js';
import { asError, BalancerError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Registry, RegistryEvent } from '../../registry/registry.js';

const REWATCH = { baseMs: 100, maxMs: 1_500 };
/** A watch that lasted so long is begun anew at once when it ends; others back off, or they would spin. */
const LASTING_MS = 5_000;

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
  const onFailure = (cause: Error) => tell({ kind: 'stale', cause });
  const watchOnce = async () => {
    const startedAt = clock.now();
    try {
      await follow(registry.watch(service, signal)[Symbol.asyncIterator](), signal, tell);
      if (!signal.aborted) {
        throw new BalancerError('REGISTRY_UNAVAILABLE', `the registry ended its watch of ${service}`);
      }
    } catch (thrown) {
      if (clock.now() - startedAt < LASTING_MS) throw thrown;
      onFailure(asError(thrown));
    }
  };
  while (!signal.aborted) {
    await retryUntilAborted(watchOnce, { ...REWATCH, clock, random, signal, onFailure }).catch(
      (thrown: unknown) => {
        if (!signal.aborted) throw thrown;
      },
    );
  }
}

/** Tells what comes, until the end or the abort. */
async function follow(
  events: AsyncIterator<RegistryEvent>,
  signal: AbortSignal,
  tell: (event: RegistryEvent) => void,
): Promise<void> {
  try {
    for (;;) {
      const next = await unlessAborted(events.next(), signal);
      if (next === undefined || next.done === true) return;
      tell(next.value);
    }
  } finally {
    // Not awaited: it may be a generator that does not hear of the signal.
    void (async () => events.return?.())().catch(() => {});
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) resolve(undefined);
    const aborted = () => resolve(undefined);
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}
