import { retryUntilAborted } from '../../base/backoff.js';
import { EventQueue } from '../event-queue.js';
import { connect, unavailable } from './connect.js';
import type { EtcdConnection } from './port.js';
import { EndpointReader } from './reader.js';
import { runSession } from './session.js';
import type { EtcdSettings } from './settings.js';
import { PageSize } from './snapshot.js';

/** The wait between sessions, in milliseconds. */
const BACKOFF = { baseMs: 100, maxMs: 1_500 };
/** A session this long, in milliseconds, was a good one: after it, waiting starts over. A watch that is cancelled at
 *  once must not spin. */
const GOOD_SESSION_MS = 5_000;

/** The endpoints of one service, told to one reader: session after session, until stopped. */
export class WatchLoop {
  readonly queue = new EventQueue();
  readonly #service: string;
  readonly #keysBegin: string;
  readonly #settings: EtcdSettings;
  readonly #connectTo: (settings: EtcdSettings) => EtcdConnection;
  readonly #reader: EndpointReader;
  readonly #pageSize = new PageSize();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #told: 'nothing' | 'current' | 'stale' = 'nothing';

  /** @param connectTo - makes the connection of each session. */
  constructor(
    service: string,
    keysBegin: string,
    settings: EtcdSettings,
    connectTo: (settings: EtcdSettings) => EtcdConnection = connect,
  ) {
    this.#connectTo = connectTo;
    this.#service = service;
    this.#keysBegin = keysBegin;
    this.#settings = settings;
    this.#reader = new EndpointReader(keysBegin, settings.logger);
    this.#loop = this.#run();
  }

  /** Resolves when nothing of it is left. */
  stop(): Promise<void> {
    this.queue.end();
    this.#stop.abort();
    return this.#loop;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#settings;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await retryUntilAborted(() => this.#session(), { ...BACKOFF, clock, random, signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** Resolves after a session that was good while it lasted, rejects when one is to be waited for. */
  async #session(): Promise<void> {
    const { clock, patience, requestTimeoutMs } = this.#settings;
    const { signal } = this.#stop;
    const connection = this.#connectTo(this.#settings);
    const { host } = connection;
    let liveSince = Number.POSITIVE_INFINITY;
    try {
      await runSession({
        connection,
        keysBegin: this.#keysBegin,
        requestTimeoutMs,
        patience,
        pageSize: this.#pageSize,
        clock,
        signal,
        onSnapshot: (entries) => {
          liveSince = clock.now();
          const endpoints = this.#reader.snapshot(entries);
          this.queue.push({ kind: 'snapshot', endpoints, preferred: this.#reader.leased });
          this.#tellCurrent(host, endpoints.length);
        },
        onChanges: (batch) => {
          const { put, removed } = this.#reader.changes(batch);
          if (put.length > 0 || removed.length > 0) this.queue.push({ kind: 'changes', put, removed });
        },
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#tellStale(host, error as Error);
      if (clock.now() - liveSince < GOOD_SESSION_MS) throw error;
    } finally {
      connection.close();
    }
  }

  #tellCurrent(host: string, endpoints: number): void {
    if (this.#told === 'stale') {
      this.#settings.logger.info(
        `${this.#service} is current again from etcd at ${host}: ${endpoints} endpoints`,
      );
    }
    this.#told = 'current';
  }

  #tellStale(host: string, error: Error): void {
    if (this.#told === 'stale') return;
    this.#told = 'stale';
    const cause = unavailable(host, error);
    this.#settings.logger.warn(`${this.#service} is stale: ${cause.message}`);
    this.queue.push({ kind: 'stale', cause });
  }
}
