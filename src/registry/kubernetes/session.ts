import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { ApiAnswer, ApiConnection } from './connection.js';
import { messageOf, refused } from './failures.js';
import { Heartbeat } from './heartbeat.js';
import { LineReader } from './lines.js';

/** Slices in a page of a list, and the most pages: 100,000 endpoints in slices of 100, which the controller makes. */
const PAGE_SIZE = 250;
const MAX_PAGES = 400;
/** A page, whole in memory, in bytes: 250 slices that are as large as etcd lets them be are larger, and no service. */
const MAX_PAGE_BYTES = 128 * 1024 * 1024;
/** What is read of an answer that is a refusal, in bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024;
/**
 * How long a watch lasts before another goes on from its last bookmark, in seconds; and, as all clients are not to come at
 * once, how much longer by chance. A watch that the server has forgotten is noticed by then.
 */
const WATCH_SECONDS = 120;
const WATCH_JITTER_SECONDS = 60;
/** The same where the server cannot be asked whether it is there: to ask anew is the only question that there is. */
const BLIND_WATCH_SECONDS = 3;
/** How much later than announced a watch may end, in milliseconds. */
const WATCH_GRACE_MS = 2_000;
/** A watch that ends sooner, in milliseconds, is none. */
const SHORTEST_WATCH_MS = 500;

export interface SessionOptions {
  /** A new connection, within bounds of its own. */
  readonly dial: (signal: AbortSignal) => Promise<ApiConnection>;
  readonly namespace: string;
  readonly service: string;
  /** How long an answer may take to begin, and a page of a list to come, in milliseconds. */
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Hears once, when the watch that continues it is on, all EndpointSlices that there were. */
  readonly onSnapshot: (slices: readonly unknown[]) => void;
  /** Hears every change after it, in order. */
  readonly onChange: (change: { readonly deleted: boolean; readonly slice: unknown }) => void;
}

/**
 * A list of the EndpointSlices of a service and the watches that continue it, for as long as that can be trusted. Rejects in
 * the end, with the cause.
 *
 * A watch that ends in good order, as its time is over or a server is shut down, is continued by the next from the last
 * revision seen: bookmarks keep that fresh. Whatever else happens ends the session, and the next begins with a list.
 */
export async function runSession(options: SessionOptions): Promise<never> {
  const session = new Session(options);
  try {
    return await session.run();
  } finally {
    session.close();
  }
}

class Session {
  readonly #options: SessionOptions;
  readonly #over: Promise<never>;
  #abort: () => void = () => {};
  #connection: ApiConnection | undefined;
  #heartbeat: Heartbeat | undefined;
  #snapshot: readonly unknown[] | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { signal } = options;
    this.#over = new Promise((_, reject) => {
      this.#abort = () => reject(asError(signal.reason));
    });
    this.#over.catch(() => {});
    signal.addEventListener('abort', this.#abort);
    if (signal.aborted) this.#abort();
  }

  async run(): Promise<never> {
    let revision = await this.#list();
    for (;;) revision = await this.#watch(revision);
  }

  close(): void {
    this.#options.signal.removeEventListener('abort', this.#abort);
    this.#hangUp();
  }

  #hangUp(): void {
    this.#heartbeat?.stop();
    this.#connection?.close();
    this.#heartbeat = undefined;
    this.#connection = undefined;
  }

  /** All pages, at the revision of the first. Without a revision of ours the server reads what is newest. */
  async #list(): Promise<string> {
    const slices: unknown[] = [];
    let from = '';
    for (let page = 1; page <= MAX_PAGES; page++) {
      const { items, revision, next } = await this.#page(from);
      for (const item of items) slices.push(item);
      if (next === '') {
        this.#snapshot = slices;
        return revision;
      }
      from = next;
    }
    throw new Error(`the list of EndpointSlices has more than ${MAX_PAGES} pages`);
  }

  async #page(from: string): Promise<{ items: readonly unknown[]; revision: string; next: string }> {
    const query = `limit=${PAGE_SIZE}${from === '' ? '' : `&continue=${encodeURIComponent(from)}`}`;
    const { requestTimeoutMs } = this.#options;
    await this.#connecting();
    const body = await this.#within(requestTimeoutMs, 'a list', async () => {
      const answer = await this.#get(query, 'list');
      return this.#text(answer, MAX_PAGE_BYTES);
    });
    const list = JSON.parse(body) as {
      items?: unknown;
      metadata?: { resourceVersion?: unknown; continue?: unknown };
    };
    const revision = list?.metadata?.resourceVersion;
    const next = list?.metadata?.continue ?? '';
    // An empty list may be `null`.
    const items = list?.items ?? [];
    if (!Array.isArray(items) || !isRevision(revision) || typeof next !== 'string') {
      throw new Error('what answers is no list of EndpointSlices');
    }
    return { items, revision, next };
  }

  /** Returns the revision from which the next watch goes on. */
  async #watch(from: string): Promise<string> {
    const { clock, random, requestTimeoutMs } = this.#options;
    const connection = await this.#connecting();
    const seconds =
      connection.ping === undefined ? BLIND_WATCH_SECONDS : WATCH_SECONDS + random(WATCH_JITTER_SECONDS + 1);
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${encodeURIComponent(from)}`;
    const beganAt = clock.now();
    const answer = await this.#within(requestTimeoutMs, 'a watch', () => this.#get(query, 'watch'));
    if (this.#snapshot !== undefined) {
      const snapshot = this.#snapshot;
      this.#snapshot = undefined;
      this.#options.onSnapshot(snapshot);
    }
    this.#connection?.unref();
    let revision = from;
    await this.#within(seconds * 1_000 + WATCH_GRACE_MS, 'the end of a watch', async () => {
      const lines = new LineReader();
      for await (const chunk of answer.body) {
        this.#heartbeat?.heard();
        for (const line of lines.read(chunk)) revision = this.#hear(line);
      }
      if (lines.open) throw new Error('a watch was cut off in the midst of an event');
    });
    if (clock.now() - beganAt < SHORTEST_WATCH_MS) throw new Error('a watch ended as soon as it began');
    return revision;
  }

  /** Returns the revision of an event. */
  #hear(line: string): string {
    const { type, object } = JSON.parse(line) as { type?: unknown; object?: { [key: string]: unknown } };
    if (type === 'ERROR') {
      const { code, message } = object ?? {};
      throw this.#refused(
        typeof code === 'number' ? code : 0,
        typeof message === 'string' ? message : '',
        'watch',
      );
    }
    const revision = (object?.metadata as { resourceVersion?: unknown } | undefined)?.resourceVersion;
    if (!isRevision(revision)) throw new Error('an event of a watch has no resourceVersion');
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        this.#options.onChange({ deleted: type === 'DELETED', slice: object });
        return revision;
      case 'BOOKMARK':
        return revision;
      default:
        throw new Error(`a watch told of an unknown event, ${JSON.stringify(type)?.slice(0, 40)}`);
    }
  }

  /** An answer that is 200. */
  async #get(query: string, verb: 'list' | 'watch'): Promise<ApiAnswer> {
    const { namespace, service } = this.#options;
    const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`);
    const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}&${query}`;
    const connection = await this.#connected();
    const answer = await connection.get(path);
    if (answer.status === 200) return answer;
    throw this.#refused(answer.status, messageOf(await this.#text(answer, MAX_REFUSAL_BYTES)), verb);
  }

  async #text(answer: ApiAnswer, maxBytes: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      this.#heartbeat?.heard();
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(`an answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #refused(status: number, said: string, verb: 'list' | 'watch'): Error {
    return refused({ status, said, verb, namespace: this.#options.namespace });
  }

  /** A connection that takes requests: a server that is to be shut down is left for the next. */
  async #connected(): Promise<ApiConnection> {
    if (this.#connection?.usable) return this.#connection;
    this.#hangUp();
    const { clock, dial, signal } = this.#options;
    const connection = await dial(signal);
    if (signal.aborted) {
      connection.close();
      throw asError(signal.reason);
    }
    this.#connection = connection;
    if (connection.ping !== undefined) this.#heartbeat = new Heartbeat(clock, connection.ping);
    return connection;
  }

  /** The same, unless the session is to end first. Dialling has bounds of its own. */
  #connecting(): Promise<ApiConnection> {
    return Promise.race([this.#connected(), this.#over]);
  }

  /** The step, unless its time is over first, the server is found dead, or the session is to end. */
  async #within<T>(ms: number, what: string, step: () => Promise<T>): Promise<T> {
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      const background = this.#snapshot === undefined;
      cancel = this.#options.clock.after(
        ms,
        () => reject(new Error(`waited ${ms} ms for ${what}`)),
        background,
      );
    });
    try {
      return await Promise.race([step(), late, this.#heartbeat?.dead ?? this.#over, this.#over]);
    } finally {
      cancel();
    }
  }
}

/** Opaque, and in fact a number (kubernetes.io, "Resource versions"). */
function isRevision(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 128;
}
