import { channel } from 'node:diagnostics_channel';
import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import { APPLIED_CHANNEL, type Applied } from './applied.js';
import { encodeKey } from './codec.js';
import type { Patience } from './patience.js';
import {
  type EtcdConnection,
  type KeyValue,
  rangeEndOf,
  type WatchAnswer,
  type WatchEvent,
  type WatchStream,
} from './port.js';
import { SignsOfLife } from './signs-of-life.js';
import { type PageSize, readSnapshot, type Snapshot } from './snapshot.js';

export interface SessionOptions {
  readonly connection: EtcdConnection;
  /** What the keys begin with. */
  readonly keysBegin: string;
  readonly requestTimeoutMs: number;
  readonly patience: Patience;
  readonly pageSize: PageSize;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Hears once, when the watch that continues it is on, what there was at one revision. */
  readonly onSnapshot: (entries: readonly KeyValue[]) => void;
  /** Hears every change after it, in the store's order, none missing and none twice. */
  readonly onChanges: (batch: readonly WatchEvent[]) => void;
}

/**
 * One snapshot and the watch that continues it, for as long as that can be trusted. Always rejects in the end, with
 * the cause; a session is never resumed.
 *
 * It uses the raw watch stream, because the watchers of client libraries lose events in silence: etcd3's moves its resume
 * point to the store's revision with every message, whatever was delivered.
 */
export async function runSession(options: SessionOptions): Promise<never> {
  const watch = await openWatch(options);
  try {
    return await watch.ended;
  } finally {
    watch.cancel();
  }
}

/** A function of its own, so that the snapshot does not live as long as the session. */
async function openWatch(options: SessionOptions): Promise<LiveWatch> {
  const snapshot = await readSnapshot({ ...options, keysBegin: encodeKey(options.keysBegin) });
  const watch = new LiveWatch(options, snapshot);
  await watch.open();
  return watch;
}

/** The watch that continues a snapshot. */
class LiveWatch {
  /** Rejects with the cause when the watch can be trusted no more. */
  readonly ended: Promise<never>;
  readonly #options: SessionOptions;
  readonly #range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array };
  readonly #diagnostics = channel(APPLIED_CHANNEL);
  readonly #clusterId: string;
  /** The revision of the snapshot. */
  readonly #begun: bigint;
  /** Told, and let go, when the watch is on. */
  #snapshot: Snapshot | undefined;
  #stream: WatchStream | undefined;
  #signs: SignsOfLife | undefined;
  #end: (cause: Error) => void = () => {};
  #over = false;
  /** The revision up to which everything was handed on. */
  #applied: bigint;
  /** How many keys there are at that revision. */
  #keys: number;
  /** What was applied when the oldest unanswered progress request was sent. */
  #appliedWhenAsked: bigint | undefined;
  /** What was applied when etcd held another number of keys than the watch had told of. */
  #oddAt: bigint | undefined;

  constructor(options: SessionOptions, snapshot: Snapshot) {
    const key = encodeKey(options.keysBegin);
    this.#options = options;
    this.#range = { key, rangeEnd: rangeEndOf(key) };
    this.#clusterId = snapshot.clusterId;
    this.#snapshot = snapshot;
    this.#begun = snapshot.revision;
    this.#applied = snapshot.revision;
    this.#keys = snapshot.entries.length;
    this.ended = new Promise((_, reject) => {
      this.#end = (cause) => {
        this.#over = true;
        this.#signs?.stop();
        reject(cause);
      };
    });
    // It may end before anybody waits for that.
    this.ended.catch(() => {});
  }

  /**
   * Watches from the snapshot's own revision on, not from the next: etcd (from 3.4.38, 3.5.22 and 3.6.2 on) leaves
   * progress requests unanswered while the store's revision is below the start of a watch, which it stays for as long
   * as nothing is written. What comes once more is known and left out.
   */
  async open(): Promise<void> {
    const { connection, clock, patience, signal } = this.#options;
    const stream = await connection.watch(
      {
        onAnswer: (answer) => this.#guarded(() => this.#hear(answer)),
        onEnd: (cause) => this.#end(cause),
      },
      signal,
    );
    this.#stream = stream;
    this.#signs = new SignsOfLife({
      clock,
      patience,
      ask: () => {
        this.#appliedWhenAsked ??= this.#applied;
        stream.send({ kind: 'progress' });
      },
      read: (timeoutMs) => this.#read(timeoutMs),
      onDead: (cause) => this.#end(cause),
    });
    if (this.#over) this.#signs.stop();
    else stream.send({ kind: 'create', ...this.#range, startRevision: this.#begun });
  }

  cancel(): void {
    this.#stream?.cancel();
  }

  #guarded(step: () => void): void {
    try {
      if (!this.#over) step();
    } catch (error) {
      this.#end(asError(error));
    }
  }

  #hear(answer: WatchAnswer): void {
    this.#mustBeSameCluster(answer.clusterId);
    const { kind } = answer;
    if (kind === 'canceled') {
      throw new Error(`etcd cancelled the watch: ${answer.reason || 'no reason given'}`);
    }
    if (kind === 'created') {
      this.#begin(answer.revision);
      this.#signs?.answered('first');
      return;
    }
    if (this.#snapshot !== undefined) throw new Error('etcd sent changes before the watch was on');
    if (kind === 'events') this.#apply(answer.events);
    const isAnswer = kind === 'progress' && this.#checkProgress(answer.revision);
    if (isAnswer) this.#signs?.answered('progress');
    else this.#signs?.heard();
  }

  #begin(revision: bigint): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) throw new Error('etcd created the watch twice');
    mustNotBeOlder(revision, snapshot.revision);
    this.#snapshot = undefined;
    this.#options.onSnapshot(snapshot.entries);
    if (!this.#diagnostics.hasSubscribers) return;
    const { keysBegin } = this.#options;
    this.#diagnostics.publish({ kind: 'snapshot', keysBegin, revision: snapshot.revision } satisfies Applied);
  }

  /**
   * Whether this answers a progress request. (etcd tells its progress unasked, too.)
   *
   * An answer carries the revision that the store had at some moment after the question, and may come before changes
   * that were made earlier. So it is held against what was applied when the question was sent; less one, because etcd
   * sends a change to its watchers just before it counts its revision (mvcc/watchable_store_txn.go, `End`).
   */
  #checkProgress(revision: bigint): boolean {
    if (this.#appliedWhenAsked === undefined) return false;
    mustNotBeOlder(revision, this.#appliedWhenAsked - 1n);
    this.#appliedWhenAsked = undefined;
    return true;
  }

  /** A response holds whole revisions: what one transaction changed is handed on at once. */
  #apply(events: readonly WatchEvent[]): void {
    const before = this.#applied;
    const isKnown = ({ revision }: WatchEvent) => revision === this.#begun && revision === before;
    const batch = events.filter((event) => !isKnown(event));
    for (const { value, revision, created } of batch) {
      if (revision <= before) throw new Error(`etcd sent revision ${revision} twice, or too late`);
      if (revision > this.#applied) this.#applied = revision;
      if (value === undefined) this.#keys -= 1;
      else if (created) this.#keys += 1;
    }
    if (batch.length === 0) return;
    this.#options.onChanges(batch);
    if (!this.#diagnostics.hasSubscribers) return;
    const { keysBegin } = this.#options;
    const revisions = batch.map(({ revision }) => revision);
    this.#diagnostics.publish({ kind: 'changes', keysBegin, revisions } satisfies Applied);
  }

  /**
   * The sign of life of a peer that answers no progress requests: a linearizable read, of how many keys there are. It
   * proves that etcd is there behind the peer, and finds a watch that has gone silent behind it, too, once a key has come
   * or gone of which the watch did not tell within a beat.
   */
  async #read(timeoutMs: number): Promise<void> {
    const { connection, signal } = this.#options;
    const known = this.#applied;
    const { revision, clusterId, count } = await connection.range(
      { ...this.#range, countOnly: true },
      { timeoutMs, signal },
    );
    this.#mustBeSameCluster(clusterId);
    mustNotBeOlder(revision, known);
    const isOdd = count !== this.#keys;
    if (isOdd && this.#oddAt === this.#applied) {
      throw new Error(`etcd holds ${count} keys, and the watch has told of ${this.#keys}`);
    }
    this.#oddAt = isOdd ? this.#applied : undefined;
  }

  #mustBeSameCluster(clusterId: string): void {
    if (clusterId !== this.#clusterId) throw new Error('another etcd cluster answers');
  }
}

function mustNotBeOlder(revision: bigint, known: bigint): void {
  if (revision >= known) return;
  throw new Error(
    `etcd is at revision ${revision} and was at ${known}: this is an older store, or a new one`,
  );
}
