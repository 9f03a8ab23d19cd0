import type { Clock } from '../../base/clock.js';
import type { Patience } from './patience.js';
import { type EtcdConnection, EtcdError, type KeyValue, type RangeAnswer, rangeEndOf } from './port.js';

/** All keys of a prefix at one revision. */
export interface Snapshot {
  readonly entries: readonly KeyValue[];
  readonly revision: bigint;
  readonly clusterId: string;
}

/** Keys of the first page: it is not known yet how big they are. */
const FIRST_PAGE = 100;
const MOST_KEYS = 10_000;
/** What a page is to have, in bytes, so that it is with us well within its time. */
const PAGE_BYTES = 2 ** 20;
/** The next page has no more than so many times the keys: big values may come after small ones. */
const GROWTH = 10;

/**
 * How many keys to ask for at a time: as many as make a page of {@link PAGE_BYTES}, by the size of those that came, and
 * half of what was too much. It outlives a snapshot that failed, so that the next attempt asks for less.
 */
export class PageSize {
  #keys = FIRST_PAGE;

  get keys(): number {
    return this.#keys;
  }

  came(entries: readonly KeyValue[]): void {
    if (entries.length === 0) return;
    const bytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    const fitting = Math.ceil((entries.length * PAGE_BYTES) / bytes);
    this.#keys = Math.min(fitting, this.#keys * GROWTH, MOST_KEYS);
  }

  tooMany(): void {
    this.#keys = Math.ceil(this.#keys / 2);
  }
}

export interface SnapshotOptions {
  readonly connection: EtcdConnection;
  readonly keysBegin: Uint8Array;
  readonly requestTimeoutMs: number;
  readonly patience: Patience;
  readonly pageSize: PageSize;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Reads all keys that begin so, page by page, all of them at the revision of the first. */
export async function readSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { keysBegin } = options;
  const first = await readPage(options, keysBegin);
  const { revision, clusterId } = first;
  const entries = [...first.entries];
  for (let page = first; page.more; ) {
    const last = entries.at(-1)?.key ?? keysBegin;
    page = await readPage(options, Buffer.concat([last, Buffer.of(0)]), revision);
    for (const entry of page.entries) entries.push(entry);
  }
  return { entries, revision, clusterId };
}

async function readPage(options: SnapshotOptions, from: Uint8Array, revision?: bigint): Promise<RangeAnswer> {
  const { connection, keysBegin, requestTimeoutMs, patience, pageSize, clock, signal } = options;
  const rangeEnd = rangeEndOf(keysBegin);
  for (;;) {
    const askedAt = clock.now();
    const connecting = connection.heardAt === Number.NEGATIVE_INFINITY;
    const limit = pageSize.keys;
    const request = { key: from, rangeEnd, limit, ...(revision !== undefined && { revision }) };
    try {
      const page = await connection.range(request, {
        timeoutMs: patience.callMs(requestTimeoutMs, { connecting }),
        signal,
      });
      patience.measured(clock.now() - askedAt, { connecting });
      pageSize.came(page.entries);
      return page;
    } catch (error) {
      if (!(error instanceof EtcdError) || error.kind !== 'timed-out') throw error;
      patience.gaveUp();
      // It is there, and sends: the page was too big for its time. At a member that is silent, another is to be asked.
      if (limit === 1 || connection.heardAt < askedAt) throw error;
      pageSize.tooMany();
    }
  }
}
