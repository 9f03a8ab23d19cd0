import cluster from 'node:cluster';
import type { Server } from '@grpc/grpc-js';
import { type Clock, sleep } from '../base/clock.js';
import { warnOfHook } from '../base/logger.js';
import type { Registrar, Registration } from '../registry/registry.js';
import type { Health } from './health.js';
import { checkedShutdown, onSignals, type ShutdownOptions } from './shutdown.js';

/** A registration closes within 3 s, ours do; a registrar of the user's may not keep the server from ending. */
const UNREGISTER_MS = 3_000;

export interface AnnounceOptions extends ShutdownOptions {
  readonly registrar: Registrar;
  readonly service: string;
  /** Where clients dial: `host:port`. */
  readonly address: string;
  /** Default 1. See `Endpoint.weight`. */
  readonly weight?: number;
  /** Default `{}`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** See `RegisterOptions.ttlSeconds`. */
  readonly ttlSeconds?: number;
  /** Says NOT_SERVING before the server is unregistered. `serve` adds it to the server, for `announce` it must be there. */
  readonly health?: Health;
}

/** A server that listens and is announced. */
export interface Serving extends AsyncDisposable {
  /** The address that is announced. */
  readonly address: string;
  readonly registration: Registration;
  /**
   * What a signal does, without ending the process: says NOT_SERVING, unregisters, serves on for `lameDuckMs`, tells the clients with
   * GOAWAY, lets the calls in flight finish within `drainTimeoutMs`, and takes the signal handlers away. Never
   * rejects; later calls get the same promise.
   */
  close(): Promise<void>;
}

/**
 * Announces a server that listens already, until a signal or `close()`.
 *
 * @throws BalancerError INVALID_ADDRESS or INVALID_OPTION when this cannot be announced.
 */
export function announce(server: Server, options: AnnounceOptions): Serving {
  const { registrar, service, address, weight, metadata, ttlSeconds, health } = options;
  const { lameDuckMs, drainTimeoutMs, clock } = checkedShutdown(options);
  const registration = registrar.register(
    service,
    { address, ...(weight !== undefined && { weight }), ...(metadata !== undefined && { metadata }) },
    {
      ...(ttlSeconds !== undefined && { ttlSeconds }),
      // The workers of a cluster share their ports: one of them may end, and the others serve on.
      ...(cluster.worker !== undefined && { instance: `worker-${cluster.worker.id}` }),
    },
  );

  const shutDown = async () => {
    await step('health', () => health?.leave());
    await step('the registration', () => within(UNREGISTER_MS, registration.close(), clock));
    await sleep(clock, lameDuckMs);
    await step('health', () => health?.end());
    await drain(server, drainTimeoutMs, clock);
    release();
  };
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= shutDown();
    return closing;
  };
  const release = onSignals(options, clock, close);
  return { address, registration, close, [Symbol.asyncDispose]: close };
}

/**
 * One step to the end, by something that may not be ours: whatever comes of it, the next ones follow. A server that is
 * not drained because it could not be unregistered would fail every call that it has.
 */
async function step(what: string, take: () => unknown): Promise<void> {
  try {
    await take();
  } catch (thrown) {
    warnOfHook(what, thrown);
  }
}

/** Resolves with the promise, or when the time is over. */
async function within(ms: number, promise: Promise<void>, clock: Clock): Promise<void> {
  let cancel = () => {};
  const over = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  await Promise.race([promise, over]).finally(cancel);
}

/** Sends GOAWAY and waits for the calls in flight, then cancels those that are left. */
function drain(server: Server, timeoutMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(timeoutMs, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      cancel();
      resolve();
    });
  });
}
