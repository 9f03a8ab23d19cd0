import { backoffMs } from '../../base/backoff.js';
import { type Endpoint, sameEndpoint } from '../../base/endpoint.js';
import { asError } from '../../base/errors.js';
import { EventQueue } from '../event-queue.js';
import { endpointsOf } from './records.js';
import { Resolver } from './resolution.js';
import { goodForMs, refreshInMs } from './schedule.js';
import type { DnsSettings } from './settings.js';
import type { DnsTarget } from './target.js';

/** The wait after a failure, in milliseconds: full jitter, but not at once, or a server that refuses would be flooded. */
const BACKOFF = { baseMs: 500, maxMs: 5_000 };
const LEAST_WAIT_MS = 100;

/** The endpoints of one name, told to one reader: resolution after resolution, until stopped. */
export class WatchLoop {
  readonly queue = new EventQueue();
  readonly #service: string;
  readonly #target: DnsTarget;
  readonly #settings: DnsSettings;
  readonly #resolver: Resolver;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  /** By id; undefined: nothing yet. */
  #told: ReadonlyMap<string, Endpoint> | undefined;
  #stale = false;
  #skipped = '';
  #failures = 0;
  #askedAt = 0;
  /** How many questions the last answer took. */
  #questions = 0;
  /** Asked to look again, while it could not. */
  #refreshDue = false;
  /** Ends the wait for the next resolution, in so many milliseconds. */
  #hurry: ((ms: number) => void) | undefined;

  constructor(service: string, target: DnsTarget, settings: DnsSettings) {
    this.#service = service;
    this.#target = target;
    this.#settings = settings;
    this.#resolver = new Resolver(target);
    this.#loop = this.#run();
  }

  /** What was told may be out of date. While DNS itself fails, the back-off is the law. */
  refresh(): void {
    if (this.#failures > 0 || this.#refreshDue) return;
    this.#refreshDue = true;
    this.#hurry?.(this.#refreshInMs());
  }

  /** Resolves when nothing of it is left. */
  stop(): Promise<void> {
    this.queue.end();
    this.#stop.abort();
    return this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const wait = await this.#resolve();
      if (!signal.aborted) await this.#wait(this.#refreshDue ? Math.min(wait, this.#refreshInMs()) : wait);
    }
  }

  /** Asks once and tells what is new. Returns how long to wait then, in milliseconds. */
  async #resolve(): Promise<number> {
    const { random } = this.#settings;
    const { signal } = this.#stop;
    // Asked to look again from now on, it would not be about this time.
    this.#refreshDue = false;
    this.#askedAt = this.#settings.clock.now();
    try {
      const resolution = await this.#resolver.resolve({
        ...this.#settings,
        asker: this.#settings.asker(),
        signal,
      });
      if (signal.aborted) return 0;
      this.#questions = resolution.questions;
      this.#complain(resolution.skipped);
      this.#tell(endpointsOf(resolution.records, this.#target.authority), resolution.doubt);
      if (resolution.doubt === undefined) {
        this.#failures = 0;
        return goodForMs(resolution, this.#settings, random);
      }
    } catch (thrown) {
      if (signal.aborted) return 0;
      this.#sayStale(asError(thrown));
    }
    this.#failures++;
    this.#refreshDue = false;
    return Math.max(LEAST_WAIT_MS, backoffMs(BACKOFF, this.#failures, random));
  }

  /** With a doubt the endpoints are told, and then that they are stale. */
  #tell(endpoints: readonly Endpoint[], doubt: Error | undefined): void {
    const { put, removed } = changesBetween(this.#told, endpoints);
    const whole = this.#told === undefined || this.#stale;
    const changed = this.#told === undefined || put.length + removed.length > 0;
    this.#told = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    if (whole && (changed || doubt === undefined)) this.queue.push({ kind: 'snapshot', endpoints });
    else if (changed) this.queue.push({ kind: 'changes', put, removed });
    if (doubt !== undefined) {
      this.#sayStale(doubt, changed);
    } else if (this.#stale) {
      this.#stale = false;
      this.#settings.logger.info(`${this.#service} is current again by DNS: ${endpoints.length} endpoints`);
    }
  }

  /** @param again - something was told since. */
  #sayStale(cause: Error, again = false): void {
    if (!this.#stale) this.#settings.logger.warn(`${this.#service} is stale: ${cause.message}`);
    if (!this.#stale || again) this.queue.push({ kind: 'stale', cause });
    this.#stale = true;
  }

  /** One line for each change of what is left out. */
  #complain(skipped: readonly string[]): void {
    const shown = skipped.slice(0, 3).join('; ');
    const line = skipped.length > 3 ? `${shown}; and ${skipped.length - 3} more` : shown;
    if (line !== this.#skipped && line !== '') this.#settings.logger.warn(`${this.#service}: ${line}`);
    this.#skipped = line;
  }

  #refreshInMs(): number {
    const { clock, random } = this.#settings;
    return refreshInMs(clock.now() - this.#askedAt, this.#questions, random);
  }

  /** The wait between two resolutions keeps no process alive, as long as what was told is current. */
  #wait(ms: number): Promise<void> {
    const { clock } = this.#settings;
    const { signal } = this.#stop;
    const background = this.#told !== undefined && !this.#stale;
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#hurry = undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      let dueAt = clock.now() + ms;
      let cancel = clock.after(ms, done, background);
      this.#hurry = (sooner) => {
        if (clock.now() + sooner >= dueAt) return;
        dueAt = clock.now() + sooner;
        cancel();
        cancel = clock.after(sooner, done, background);
      };
      signal.addEventListener('abort', done);
    });
  }
}

function changesBetween(
  before: ReadonlyMap<string, Endpoint> = new Map(),
  now: readonly Endpoint[],
): { put: Endpoint[]; removed: string[] } {
  const left = new Set(before.keys());
  const put = now.filter((endpoint) => {
    left.delete(endpoint.id);
    const known = before.get(endpoint.id);
    return known === undefined || !sameEndpoint(known, endpoint);
  });
  return { put, removed: [...left] };
}
