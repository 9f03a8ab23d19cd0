import { constants } from 'node:os';
import type { Server } from '@grpc/grpc-js';
import { type Clock, sleep, systemClock } from '../clock.js';
import { numberOption } from '../options.js';
import type { Registrar, Registration } from '../registry/registry.js';
import type { Health } from './health.js';

/** What {@link announce} and `serve` have in common. */
export interface ShutdownOptions {
  /**
   * How long the server goes on serving after it was unregistered, so that the clients hear of it and pick it no
   * more, in milliseconds. Default 500.
   */
  readonly lameDuckMs?: number;
  /**
   * How long calls in flight may take to finish after that, in milliseconds; what is left is then cancelled. `Infinity`
   * waits for them all.
   * Default 25,000: with unregistering (3 s at most) and the lame-duck time, under the 30 s that Kubernetes gives.
   */
  readonly drainTimeoutMs?: number;
  /** The signals that close it. Default SIGTERM, SIGINT, SIGHUP and SIGQUIT; none with `[]`. */
  readonly signals?: readonly NodeJS.Signals[];
  /**
   * Ends the process with code 0 once a signal has closed the server, and at once, with code 128 + n, at a second
   * signal. For the one server of a process. Default false: then a second signal does what it does without evenkeel.
   */
  readonly exit?: boolean;
  readonly clock?: Clock;
}

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
 * A second SIGINT so soon is an echo of the first, in milliseconds: at a Ctrl-C the terminal tells every process of the
 * group, and npm, which is one of them, tells its child once more.
 */
const ECHO_MS = 100;

export const SHUTDOWN_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'];

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
    ttlSeconds === undefined ? {} : { ttlSeconds },
  );

  const shutDown = async () => {
    health?.leave();
    await registration.close();
    await sleep(clock, lameDuckMs);
    health?.end();
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

/** @throws BalancerError INVALID_OPTION */
export function checkedShutdown({
  lameDuckMs = 500,
  drainTimeoutMs = 25_000,
  clock = systemClock,
}: ShutdownOptions): Required<Pick<ShutdownOptions, 'lameDuckMs' | 'drainTimeoutMs' | 'clock'>> {
  numberOption('lameDuckMs', lameDuckMs, { min: 0 });
  numberOption('drainTimeoutMs', drainTimeoutMs, { min: 0, max: Number.POSITIVE_INFINITY });
  return { lameDuckMs, drainTimeoutMs, clock };
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

/** Listens for the signals until what it returns is called. */
function onSignals(
  { signals = SHUTDOWN_SIGNALS, exit = false }: ShutdownOptions,
  clock: Clock,
  close: () => Promise<void>,
): () => void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  const release = () => {
    for (const signal of signals) process.removeListener(signal, handle);
  };
  const handle = (signal: NodeJS.Signals) => {
    if (first === undefined) {
      first = { signal, at: clock.now() };
      void close().then(() => exit && process.exit(0));
      return;
    }
    if (signal === 'SIGINT' && first.signal === 'SIGINT' && clock.now() - first.at < ECHO_MS) return;
    if (exit) process.exit(128 + constants.signals[signal]);
    release();
    // With nobody left who listens for it, it does what it does by default.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  for (const signal of signals) process.on(signal, handle);
  return release;
}
