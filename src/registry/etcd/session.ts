import { channel } from 'node:diagnostics_channel';
import type { Etcd3, IEvent, IRangeResponse, IWatchRequest, IWatchResponse } from 'etcd3';
import { Range } from 'etcd3';
import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import { APPLIED_CHANNEL, type Applied } from './applied.js';
import type { EtcdClient } from './client.js';
import type { KeyChange, KeyValue } from './reader.js';

/** A prefix of any size is read this many keys at a time, all pages at the revision of the first. */
const PAGE_SIZE = 1_000;
/** How long the stream may be silent before etcd is asked to say something, in milliseconds. */
const BEAT_MS = 2_000;
/** How long etcd may take to say it, in milliseconds. */
const GRACE_MS = 2_000;
/** A timer this late, in milliseconds, says more of this process than of etcd. */
const LATE_MS = 500;

export interface SessionOptions {
  readonly client: Pick<EtcdClient, 'call' | 'open'>;
  /** What the keys begin with. */
  readonly keysBegin: string;
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Hears once, when the watch that continues it is on, what there was at one revision. */
  readonly onSnapshot: (entries: readonly KeyValue[]) => void;
  /** Hears every change after it, in the store's order, none missing and none twice. */
  readonly onChanges: (batch: readonly KeyChange[]) => void;
}

type WatchStream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

/**
 * One snapshot and the watch that continues it, for as long as that can be trusted. Always rejects in the end, with
 * the cause; a session is never resumed.
 *
 * It uses etcd3's raw watch stream, because its `Watcher` loses events in silence: it moves its resume point to the
 * store's revision with every message, whatever was delivered.
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
  const snapshot = await readSnapshot(options);
  const stream = await options.client.open((etcd, calls) => etcd.watchClient.watch(calls), options.signal);
  return new LiveWatch(options, snapshot, stream);
}

interface Snapshot {
  readonly entries: readonly KeyValue[];
  readonly revision: bigint;
  readonly clusterId: string;
}

async function readSnapshot({
  client,
  keysBegin,
  requestTimeoutMs,
  signal,
}: SessionOptions): Promise<Snapshot> {
  const limits = { timeoutMs: requestTimeoutMs, signal };
  const { start, end } = Range.prefix(keysBegin);
  const readPage = (from: Buffer, revision?: string): Promise<IRangeResponse> =>
    client.call((etcd, calls) => {
      const page = etcd.getAll().inRange({ start: from, end }).limit(PAGE_SIZE).options(calls);
      return (revision === undefined ? page : page.revision(revision)).exec();
    }, limits);

  let page = await readPage(start);
  const { revision, cluster_id: clusterId } = page.header;
  const entries: KeyValue[] = [...page.kvs];
  while (page.more) {
    const last = entries.at(-1)?.key ?? start;
    page = await readPage(Buffer.concat([last, Buffer.of(0)]), revision);
    entries.push(...page.kvs);
  }
  return { entries, revision: BigInt(revision), clusterId };
}

/** The watch from the revision after a snapshot on. */
class LiveWatch {
  /** Rejects with the cause when the watch can be trusted no more. */
  readonly ended: Promise<never>;
  readonly #options: SessionOptions;
  readonly #diagnostics = channel(APPLIED_CHANNEL);
  readonly #clusterId: string;
  /** Told, and let go, when the watch is on. */
  #snapshot: Snapshot | undefined;
  readonly #stream: WatchStream;
  #end: (cause: Error) => void = () => {};
  #over = false;
  /** The revision up to which everything was handed on. */
  #applied: bigint;
  /** What was applied when the oldest unanswered progress request was sent. */
  #appliedWhenAsked: bigint | undefined;
  /** The timer to the next beat, or while an answer is awaited, to the end of the wait for it. */
  #timer: { readonly kind: 'beat' | 'silence'; readonly cancel: () => void } | undefined;

  constructor(options: SessionOptions, snapshot: Snapshot, stream: WatchStream) {
    this.#options = options;
    this.#clusterId = snapshot.clusterId;
    this.#snapshot = snapshot;
    this.#stream = stream;
    this.#applied = snapshot.revision;
    this.ended = new Promise((_, reject) => {
      this.#end = (cause) => {
        this.#over = true;
        this.#timer?.cancel();
        reject(cause);
      };
    });
    stream.on('data', (response: IWatchResponse) => this.#guarded(() => this.#hear(response)));
    stream.on('error', (error: Error) => this.#end(error));
    stream.on('end', () => this.#end(new Error('etcd ended the watch stream')));
    this.#awaitAnswer();
    const { start, end } = Range.prefix(options.keysBegin);
    this.#send({
      create_request: {
        key: start,
        range_end: end,
        start_revision: String(snapshot.revision + 1n),
        progress_notify: true,
      },
    });
  }

  cancel(): void {
    this.#stream.cancel();
  }

  #send(request: IWatchRequest): void {
    this.#stream.write(request);
  }

  #guarded(step: () => void): void {
    try {
      if (!this.#over) step();
    } catch (error) {
      this.#end(asError(error));
    }
  }

  #hear(response: IWatchResponse): void {
    const { header, canceled, created, events } = response;
    if (header.cluster_id !== this.#clusterId) throw new Error('another etcd cluster answers');
    if (canceled) throw new Error(`etcd cancelled the watch: ${whyCanceled(response)}`);
    if (created) this.#begin(BigInt(header.revision));
    else if (this.#snapshot !== undefined) throw new Error('etcd sent changes before the watch was on');
    else if (events.length > 0) this.#apply(events);
    else this.#checkProgress(BigInt(header.revision));
    this.#scheduleBeat();
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
   * An answer is of after its question, although it can overtake changes, and be of before what is applied when it
   * comes. Less one: etcd sends a change before it counts its revision (mvcc/watchable_store_txn.go, `End`).
   */
  #checkProgress(revision: bigint): void {
    if (this.#appliedWhenAsked === undefined) return;
    mustNotBeOlder(revision, this.#appliedWhenAsked - 1n);
    this.#appliedWhenAsked = undefined;
  }

  /** A response holds whole revisions: what one transaction changed is handed on at once. */
  #apply(events: readonly IEvent[]): void {
    let newest = this.#applied;
    const batch = events.map(({ type, kv }): KeyChange => {
      const revision = BigInt(kv.mod_revision);
      if (revision <= this.#applied) throw new Error(`etcd sent revision ${revision} twice, or too late`);
      if (revision > newest) newest = revision;
      return { key: kv.key, value: type === 'Delete' ? undefined : kv.value };
    });
    this.#applied = newest;
    this.#options.onChanges(batch);
    if (!this.#diagnostics.hasSubscribers) return;
    const { keysBegin } = this.#options;
    const revisions = events.map(({ kv }) => BigInt(kv.mod_revision));
    this.#diagnostics.publish({ kind: 'changes', keysBegin, revisions } satisfies Applied);
  }

  #scheduleBeat(): void {
    if (this.#timer?.kind === 'beat') return;
    this.#timer?.cancel();
    const cancel = this.#options.clock.after(BEAT_MS, () => {
      this.#appliedWhenAsked ??= this.#applied;
      this.#send({ progress_request: {} });
      this.#awaitAnswer();
    });
    this.#timer = { kind: 'beat', cancel };
  }

  #awaitAnswer(again = false): void {
    const { clock } = this.#options;
    const dueAt = clock.now() + GRACE_MS;
    const cancel = clock.after(GRACE_MS, () => {
      // This process stood still: what etcd has said meanwhile is still to be read.
      if (!again && clock.now() - dueAt > LATE_MS) this.#awaitAnswer(true);
      else this.#end(new Error(`etcd was silent for ${(BEAT_MS + GRACE_MS) / 1000} s`));
    });
    this.#timer = { kind: 'silence', cancel };
  }
}

function whyCanceled({ cancel_reason: reason, compact_revision: compacted }: IWatchResponse): string {
  if (reason !== '') return reason;
  return compacted === '0' ? 'no reason given' : `compacted up to revision ${compacted}`;
}

function mustNotBeOlder(revision: bigint, known: bigint): void {
  if (revision >= known) return;
  throw new Error(
    `etcd is at revision ${revision} and was at ${known}: this is an older store, or a new one`,
  );
}
