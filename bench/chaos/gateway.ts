import { setTimeout as delay } from 'node:timers/promises';

/** A key as etcd holds it. */
export interface Held {
  readonly key: string;
  readonly value: string;
  /** `'0'` where it hangs on no lease. */
  readonly lease: string;
  /** The revision at which it came into being. */
  readonly created: string;
}

/** What etcd holds under a prefix, at one revision. */
export interface Holding {
  readonly revision: bigint;
  readonly entries: readonly Held[];
}

/** One operation of a transaction: a put, or the removal of a key. */
export type Change =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly remove: string };

interface Header {
  readonly revision: string;
}

interface RangeAnswer {
  readonly header: Header;
  readonly kvs?: readonly {
    readonly key: string;
    readonly value?: string;
    readonly lease?: string;
    readonly create_revision: string;
  }[];
  readonly more?: boolean;
}

/** Long enough for a loaded etcd, short enough to find out soon that one is dead. In milliseconds. */
const TIMEOUT_MS = 5_000;
const PAGE_SIZE = 2_000;

/**
 * The client by which faults are done and their effects are measured: etcd's own JSON gateway over HTTP, so that no
 * code that is under test has a part in it.
 */
export class EtcdGateway {
  readonly #user: { readonly name: string; readonly password: string } | undefined;
  #token: string | undefined;

  /** @param user - of an etcd that has authentication enabled. */
  constructor(
    readonly url: string,
    user?: { readonly name: string; readonly password: string },
  ) {
    this.#user = user;
  }

  /** Whether a linearizable read is answered within the time. */
  async answers(withinMs: number): Promise<boolean> {
    try {
      await this.#post<RangeAnswer>('/v3/kv/range', { key: base64('/') }, withinMs);
      return true;
    } catch {
      return false;
    }
  }

  /** Everything under a prefix, read linearizably at one revision. */
  async read(prefix: string): Promise<Holding> {
    const entries: Held[] = [];
    let revision: string | undefined;
    let from = base64(prefix);
    for (;;) {
      const answer: RangeAnswer = await this.#post('/v3/kv/range', {
        key: from,
        range_end: base64(after(prefix)),
        limit: PAGE_SIZE,
        ...(revision !== undefined && { revision }),
      });
      revision ??= answer.header.revision;
      for (const { key, value = '', lease = '0', create_revision: created } of answer.kvs ?? []) {
        entries.push({ key: text(key), value: text(value), lease, created });
      }
      if (answer.more !== true) return { revision: BigInt(revision), entries };
      from = base64(`${entries.at(-1)!.key}\0`);
    }
  }

  /** The present revision of the store. */
  async revision(): Promise<bigint> {
    const { header } = await this.#post<RangeAnswer>('/v3/kv/range', { key: base64('/') });
    return BigInt(header.revision);
  }

  /** All of them in one transaction, that is at one revision. */
  async change(changes: readonly Change[], timeoutMs = TIMEOUT_MS): Promise<void> {
    const success = changes.map((change) =>
      'put' in change
        ? {
            request_put: {
              key: base64(change.put),
              value: base64(change.value),
              ...(change.lease !== undefined && { lease: change.lease }),
            },
          }
        : { request_delete_range: { key: base64(change.remove) } },
    );
    await this.#post('/v3/kv/txn', { success }, timeoutMs);
  }

  async removeAll(prefix: string): Promise<void> {
    await this.#post('/v3/kv/deleterange', { key: base64(prefix), range_end: base64(after(prefix)) });
  }

  /** Forgets all history up to the present. */
  async compact(): Promise<void> {
    const revision = String(await this.revision());
    await this.#post('/v3/kv/compaction', { revision, physical: true });
  }

  async revoke(lease: string): Promise<void> {
    await this.#post('/v3/lease/revoke', { ID: lease });
  }

  /** The ids of the members, by name. */
  async members(): Promise<ReadonlyMap<string, bigint>> {
    const { members } = await this.#post<{ members: { ID: string; name: string }[] }>(
      '/v3/cluster/member/list',
      {},
    );
    return new Map(members.map(({ ID, name }) => [name, BigInt(ID)]));
  }

  /** The member that this one takes for the leader; 0n while there is none. */
  async leader(): Promise<bigint> {
    const { leader } = await this.#post<{ leader?: string }>('/v3/maintenance/status', {});
    return BigInt(leader ?? 0);
  }

  /** To be asked of the leader. */
  async transferLeadership(to: bigint): Promise<void> {
    await this.#post('/v3/maintenance/transfer-leadership', { targetID: String(to) });
  }

  /** How many watches this member serves. */
  async watches(): Promise<number> {
    const answer = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const gauge = /^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(await answer.text());
    return Number(gauge?.[1] ?? 0);
  }

  /** Makes `root` a user with all rights, and has etcd refuse everybody else. */
  async enableAuth({ name, password }: { name: string; password: string }): Promise<void> {
    await this.#post('/v3/auth/user/add', { name, password });
    await this.#post('/v3/auth/user/grant', { user: name, role: 'root' });
    await this.#post('/v3/auth/enable', {});
  }

  async #post<T>(path: string, body: unknown, timeoutMs = TIMEOUT_MS): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(this.url + path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: this.#token === undefined ? {} : { authorization: this.#token },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const said = await answer.text();
      if (answer.ok) return JSON.parse(said) as T;
      const wantsToken = /invalid auth token|user name is empty|revision of auth store is old/.test(said);
      if (this.#user === undefined || !wantsToken || attempt === 3) {
        throw new Error(`etcd refused ${path}: ${said.trim().slice(0, 200)}`);
      }
      await this.#authenticate(this.#user);
    }
  }

  async #authenticate(user: { readonly name: string; readonly password: string }): Promise<void> {
    this.#token = undefined;
    const answer = await fetch(`${this.url}/v3/auth/authenticate`, {
      method: 'POST',
      body: JSON.stringify(user),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    this.#token = ((await answer.json()) as { token?: string }).token;
  }
}

/** How often etcd is asked whether it is there again, and how long it may take to say so, in milliseconds. */
const ASK_EVERY_MS = 10;
const ANSWER_WITHIN_MS = 250;

/** Waits until etcd answers a linearizable read; returns when it had, on `performance.now()`. */
export async function reachable(gateway: EtcdGateway, signal: AbortSignal): Promise<number> {
  while (!(await gateway.answers(ANSWER_WITHIN_MS))) await delay(ASK_EVERY_MS, undefined, { signal });
  return performance.now();
}

/** The end of the range of all keys that begin so: etcd's convention for a prefix. */
function after(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function base64(value: string): string {
  return Buffer.from(value).toString('base64');
}

function text(value: string): string {
  return Buffer.from(value, 'base64').toString();
}
