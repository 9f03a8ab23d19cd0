import assert from 'node:assert/strict';
import type { Row } from '../../src/balancer/table/row.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import type { TableDriver } from './table-driver.js';

interface ModelRow {
  readonly address: string;
  readonly row: Row;
  phase: 'queued' | 'connecting' | 'ready' | 'failed' | 'draining' | 'closed';
  since: number;
  /** The order in which it was queued. */
  queued: number;
  failures: number;
  pending: number;
}

/**
 * The subchannel table as one would tell it: keeps who announces what and which calls run, and works out everything
 * else from that, each time anew. Without a guard and without a subset.
 */
export class TableModel {
  readonly #ids = new Map<string, Endpoint>();
  #rows: ModelRow[] = [];
  #queued = 0;

  constructor(private readonly driver: TableDriver) {}

  /** Rows announced or draining, and those closed with calls that never ended. */
  get rows(): readonly ModelRow[] {
    return this.#rows;
  }

  snapshot(endpoints: readonly Endpoint[]): void {
    this.#ids.clear();
    const newcomers = new Map<string, number>();
    for (const endpoint of endpoints) {
      this.#ids.set(endpoint.id, endpoint);
      if (this.#at(endpoint.address) === undefined) this.#newcomer(newcomers, endpoint);
    }
    this.driver.snapshot(...endpoints);
    this.#announced(newcomers);
  }

  changes(put: readonly Endpoint[], removed: readonly string[]): void {
    const newcomers = new Map<string, number>();
    for (const id of removed) this.#ids.delete(id);
    for (const endpoint of put) {
      this.#ids.set(endpoint.id, endpoint);
      const row = this.#at(endpoint.address);
      if (row === undefined) this.#newcomer(newcomers, endpoint);
      const slow = row?.phase === 'connecting' && this.driver.now - row.since >= 1_000;
      if (row?.phase === 'failed' || slow) this.#queue(row);
    }
    this.driver.changes(put, removed);
    this.#announced(newcomers);
  }

  connectivity(which: ModelRow, kind: 'ready' | 'lost' | 'failed'): void {
    const { now } = this.driver;
    this.driver[kind](which.row);
    if (kind === 'ready' && which.phase === 'connecting') {
      which.phase = 'ready';
      which.since = now;
    } else if (kind === 'failed' && which.phase === 'connecting') {
      this.#fail(which);
    } else if (kind === 'lost' && which.phase === 'ready') {
      if (now - which.since < 1_000) {
        this.#fail(which);
      } else {
        which.failures = 0;
        this.#queue(which);
      }
    }
    this.#verify();
  }

  start(which: ModelRow): void {
    which.pending++;
    this.driver.start(which.row);
    this.#verify();
  }

  finish(which: ModelRow): void {
    which.pending--;
    this.driver.finish(which.row);
    if (which.pending === 0 && which.phase === 'draining') which.phase = 'closed';
    this.#verify();
  }

  /** Time passes, as far as the next thing that falls due, at most. */
  advance(ms: number): void {
    const { driver } = this;
    const due = this.#rows.map((which) => ({ which, at: this.#dueAt(which) }));
    driver.step(driver.now + ms);
    for (const { which, at } of due) {
      if (at > driver.now) continue;
      if (which.phase === 'connecting') {
        this.#fail(which);
      } else if (which.phase === 'failed') {
        this.#queue(which);
      } else {
        which.phase = 'closed';
        assert.ok(driver.cancelled.has(which.row));
      }
    }
    this.#verify();
  }

  #dueAt({ phase, since, row }: ModelRow): number {
    const { connectTimeoutMs, drainTimeoutMs } = this.driver.options;
    if (phase === 'connecting') return since + connectTimeoutMs;
    if (phase === 'draining') return since + drainTimeoutMs;
    // The jitter is the table's; that it is within its bounds is looked at when it fails.
    return phase === 'failed' && row.state.kind === 'failed' ? row.state.retryAt : Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#ids.clear();
    this.driver.close();
    this.#announced(new Map());
  }

  #at(address: string): ModelRow | undefined {
    return this.#rows.find((row) => row.address === address && !/draining|closed/.test(row.phase));
  }

  #newcomer(newcomers: Map<string, number>, { address }: Endpoint): void {
    if (!newcomers.has(address)) newcomers.set(address, ++this.#queued);
  }

  /** @param newcomers - addresses that were not there before, and their places in the queue. */
  #announced(newcomers: ReadonlyMap<string, number>): void {
    const { now } = this.driver;
    const announced = new Set([...this.#ids.values()].map(({ address }) => address));
    for (const row of this.#rows) {
      if (announced.has(row.address) || row.phase === 'draining' || row.phase === 'closed') continue;
      row.phase = row.pending > 0 ? 'draining' : 'closed';
      row.since = now;
    }
    for (const [address, queued] of newcomers) {
      if (!announced.has(address)) continue;
      const row = this.driver.row(address);
      this.#rows.push({ address, row, phase: 'queued', since: now, queued, failures: 0, pending: 0 });
    }
    this.#verify();
  }

  #queue(which: ModelRow): void {
    which.phase = 'queued';
    which.queued = ++this.#queued;
  }

  #fail(which: ModelRow): void {
    const { state } = which.row;
    const wait = Math.min(15_000, 250 * 1.6 ** which.failures++);
    which.phase = 'failed';
    if (state.kind !== 'failed') throw new Error(`${which.address} is ${state.kind}`);
    assert.ok(Math.abs((state.retryAt - this.driver.now) / wait - 1) <= 0.2 + 1e-9);
  }

  #verify(): void {
    const { table, options, now } = this.driver;
    const waiting = this.#rows.filter(({ phase }) => phase === 'queued').sort((a, b) => a.queued - b.queued);
    const busy = this.#rows.filter(({ phase }) => phase === 'connecting').length;
    for (const row of waiting.slice(0, options.maxConnecting - busy)) {
      row.phase = 'connecting';
      row.since = now;
    }
    this.#rows = this.#rows.filter(({ phase, pending }) => phase !== 'closed' || pending > 0);

    const alive = this.#rows.filter(({ phase }) => phase !== 'closed');
    const announced = alive.filter(({ phase }) => phase !== 'draining');
    const show = (address: string, phase: string, pending: number) => `${address} ${phase} ${pending}`;
    const rows = [...table.rows()].map(({ endpoint, state, pending }) =>
      show(endpoint.address, state.kind, pending),
    );
    assert.deepEqual(
      rows.sort(),
      alive.map(({ address, phase, pending }) => show(address, phase, pending)).sort(),
    );
    for (const { row, address } of announced) {
      const ids = [...this.#ids.values()].filter((endpoint) => endpoint.address === address);
      ids.sort((a, b) => (a.id < b.id ? -1 : 1));
      assert.equal(this.driver.row(address), row);
      assert.deepEqual(row.endpoint, ids[0]);
      assert.equal([...row.ids.keys()].sort().join(), ids.map(({ id }) => id).join());
    }
    const weighted = announced.some(({ row }) => row.endpoint.weight > 0);
    const ready = announced.filter(
      ({ phase, row }) => phase === 'ready' && (!weighted || row.endpoint.weight > 0),
    );
    const room = ready.filter(({ pending, row }) => pending < options.maxPending(row.endpoint));
    assert.equal(table.ready.length, ready.length);
    for (const { row } of ready)
      assert.ok(table.ready.includes(row), `${row.endpoint.address} may be picked`);
    assert.equal(table.available, room.length);
    assert.equal(
      table.pending,
      this.#rows.reduce((sum, { pending }) => sum + pending, 0),
    );
    assert.equal(table.size, announced.length);
  }
}
