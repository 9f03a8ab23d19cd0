// A connection to an etcd that does and says what a test tells it to.
import type {
  EtcdConnection,
  KeyValue,
  RangeAnswer,
  RangeRequest,
  WatchAnswer,
  WatchListener,
  WatchRequest,
} from '../../../src/registry/etcd/port.js';
import type { OperationLimits } from '../../../src/registry/leases.js';

/** A store of so many keys, all of revision 100, and the stream of one watch, which says what it is told to. */
export class FakeConnection
  implements Pick<EtcdConnection, 'host' | 'heardAt' | 'range' | 'watch' | 'close'>
{
  readonly host = 'http://etcd:2379';
  heardAt = 0;
  closed = false;
  readonly pages: (readonly [bigint | undefined, number | undefined])[] = [];
  readonly sent: WatchRequest[] = [];
  cancelled = false;
  /** How it answers a count. Default: never. */
  onCount: (limits: OperationLimits) => Promise<Partial<RangeAnswer>> = () => new Promise(() => {});
  counted = 0;
  /** Before a page is given. */
  onPage: (request: RangeRequest) => Promise<void> = async () => {};
  readonly #keys: readonly KeyValue[];
  #listener: WatchListener | undefined;

  constructor(count = 0, bytes = 3) {
    this.#keys = Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`/p/s/${String(i).padStart(5, '0')}`),
      value: Buffer.alloc(bytes, 'x'),
      lease: '0',
      revision: 100n,
    }));
  }

  async range(request: RangeRequest, limits: OperationLimits): Promise<RangeAnswer> {
    const { key, limit, revision, countOnly } = request;
    const answer = { revision: 100n, clusterId: '7', entries: [], more: false, count: this.#keys.length };
    if (countOnly) {
      this.counted += 1;
      return { ...answer, ...(await this.onCount(limits)) };
    }
    this.pages.push([revision, limit]);
    await this.onPage(request);
    const rest = this.#keys.filter((each) => Buffer.compare(each.key, key) >= 0);
    const entries = rest.slice(0, limit);
    return { ...answer, entries, more: rest.length > entries.length };
  }

  async watch(listener: WatchListener, signal: AbortSignal) {
    this.#listener = listener;
    const abort = () => listener.onEnd(new Error('cancelled'));
    signal.addEventListener('abort', abort);
    return {
      send: (request: WatchRequest) => this.sent.push(request),
      cancel: () => {
        this.cancelled = true;
        signal.removeEventListener('abort', abort);
      },
    };
  }

  close(): void {
    this.closed = true;
  }

  get asked(): number {
    return this.sent.filter(({ kind }) => kind === 'progress').length;
  }

  say(revision: number, kind: WatchAnswer['kind'] = 'progress', more: Partial<WatchAnswer> = {}): void {
    const answer = { kind, revision: BigInt(revision), clusterId: '7', reason: '', events: [], ...more };
    this.#listener?.onAnswer(answer);
  }

  end(cause: Error): void {
    this.#listener?.onEnd(cause);
  }

  change(...revisions: number[]): void {
    const events = revisions.map((revision) => ({
      key: Buffer.from(`k${revision}`),
      value: Buffer.from('v'),
      revision: BigInt(revision),
      created: true,
    }));
    this.say(Math.max(...revisions), 'events', { events });
  }
}
