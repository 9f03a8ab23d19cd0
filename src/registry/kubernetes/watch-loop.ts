import { retryUntilAborted } from '../../base/backoff.js';
import { asError, BalancerError } from '../../base/errors.js';
import { EventQueue } from '../event-queue.js';
import { dial } from './connection.js';
import { unavailable } from './failures.js';
import type { ServiceName } from './service-name.js';
import { runSession } from './session.js';
import type { KubernetesSettings } from './settings.js';
import { type Changes, SliceTable } from './slice-table.js';
import { readSlice } from './slices.js';

/** The wait between sessions, in milliseconds. */
const BACKOFF = { baseMs: 100, maxMs: 1_500 };
/** A session this long, in milliseconds, was a good one: after it, waiting starts over. */
const GOOD_SESSION_MS = 5_000;
/** More slices than any service has: what is beyond them is a mistake, or an attack on memory. */
const MAX_SLICES = 10_000;

/** The endpoints of one Service, told to one reader: session after session, until stopped. */
export class WatchLoop {
  readonly queue = new EventQueue();
  readonly #service: string;
  readonly #name: ServiceName;
  readonly #settings: KubernetesSettings;
  readonly #table: SliceTable;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #told: 'nothing' | 'current' | 'stale' = 'nothing';
  /** What was complained of, of what is there still. */
  #complained: ReadonlySet<string> = new Set();

  constructor(service: string, name: ServiceName, settings: KubernetesSettings) {
    this.#service = service;
    this.#name = name;
    this.#settings = settings;
    this.#table = new SliceTable(settings.family);
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
    const { clock, random, cluster, connectTimeoutMs, requestTimeoutMs } = this.#settings;
    const { signal } = this.#stop;
    let liveSince = Number.POSITIVE_INFINITY;
    try {
      await runSession({
        // Of its own for each session and connection: its files change.
        dial: async (signal) => dial({ cluster: cluster(), clock, connectTimeoutMs, signal }),
        namespace: this.#name.namespace,
        service: this.#name.name,
        requestTimeoutMs,
        clock,
        random,
        signal,
        onSnapshot: (slices) => {
          liveSince = clock.now();
          this.#replace(slices);
        },
        onChange: ({ deleted, slice }) => this.#change(deleted, slice),
      });
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asError(thrown);
      this.#stale(error);
      if (clock.now() - liveSince < GOOD_SESSION_MS) throw error;
    }
  }

  #replace(objects: readonly unknown[]): void {
    if (objects.length > MAX_SLICES) throw unavailable(`more than ${MAX_SLICES} EndpointSlices`);
    this.#table.replace(objects.flatMap((object) => readSlice(object, this.#name) ?? []));
    this.#complain();
    if (!this.#callable()) return;
    this.#snapshot();
  }

  #change(deleted: boolean, object: unknown): void {
    const slice = readSlice(object, this.#name);
    if (slice === undefined) throw unavailable('an event is of an object without a name');
    const changes = deleted ? this.#table.remove(slice.name) : this.#table.put(slice);
    if (this.#table.slices > MAX_SLICES) throw unavailable(`more than ${MAX_SLICES} EndpointSlices`);
    this.#complain();
    if (!this.#callable()) return;
    if (this.#told === 'current') this.#changes(changes);
    else this.#snapshot();
  }

  /** An empty table that only the name of a port makes empty is not the truth: it is said to be stale, with the reason. */
  #callable(): boolean {
    if (this.#table.size > 0 || this.#table.portless === 0) return true;
    const why = this.#table.complaints()[0] ?? 'no port';
    this.#stale(
      new BalancerError('REGISTRY_UNAVAILABLE', `no pod of ${this.#service} can be called: ${why}`),
    );
    return false;
  }

  #snapshot(): void {
    const endpoints = this.#table.endpoints();
    this.queue.push({ kind: 'snapshot', endpoints });
    const { logger } = this.#settings;
    if (this.#told === 'stale') {
      logger.info(`${this.#service} is current again from Kubernetes: ${endpoints.length} endpoints`);
    }
    this.#told = 'current';
  }

  #changes({ put, removed }: Changes): void {
    if (put.length > 0 || removed.length > 0) this.queue.push({ kind: 'changes', put, removed });
  }

  #stale(cause: Error): void {
    if (this.#told === 'stale') return;
    this.#told = 'stale';
    const told = cause instanceof BalancerError ? cause : unavailable(cause.message, cause);
    this.#settings.logger.warn(`${this.#service} is stale: ${told.message}`);
    this.queue.push({ kind: 'stale', cause: told });
  }

  /** One line for each new complaint. */
  #complain(): void {
    const { name, namespace } = this.#name;
    const complaints = new Set(this.#table.complaints());
    if (this.#table.slices === 0) {
      complaints.add(`namespace ${namespace} has no EndpointSlice of a Service ${name}; is that its name?`);
    }
    for (const complaint of complaints) {
      if (!this.#complained.has(complaint)) this.#settings.logger.warn(`${this.#service}: ${complaint}`);
    }
    this.#complained = complaints;
  }
}
