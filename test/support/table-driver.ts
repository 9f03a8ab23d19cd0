import assert from 'node:assert/strict';
import type { Effect, Row } from '../../src/balancer/table/row.js';
import { Table } from '../../src/balancer/table/table.js';
import type { TableOptions } from '../../src/balancer/table/table-options.js';
import { type Endpoint, sameEndpoint } from '../../src/base/endpoint.js';
import { seededRandom } from '../../src/base/random.js';

const OPTIONS: TableOptions = {
  maxConnecting: 64,
  connectTimeoutMs: 20_000,
  drainTimeoutMs: 30_000,
  reconnect: { baseMs: 250, maxMs: 15_000 },
  maxPending: () => Number.POSITIVE_INFINITY,
};

/**
 * Runs a table as a shell would, without connections: keeps its timers, and knows what it would have connected and
 * told the picker. Whatever effect makes no sense where it comes fails the test.
 */
export class TableDriver {
  readonly table: Table;
  readonly options: TableOptions;
  now = 10_000;
  /** What has been asked for since {@link take}: `connect h:1`, `timer h:1 250`, `failed h:1` (a state), ... */
  log: string[] = [];
  /** Every row that was ever seen. */
  readonly seen = new Set<Row>();
  readonly cancelled = new Set<Row>();
  readonly #timers = new Map<Row, number>();
  readonly #connected = new Set<Row>();
  /** What the picker knows of each candidate. */
  readonly #picker = new Map<Row, Endpoint>();
  /** What the picker knows to be announced, by address. */
  readonly #announced = new Map<string, Endpoint>();

  constructor(options: Partial<TableOptions> = {}, seed = 1) {
    this.options = { ...OPTIONS, ...options };
    this.table = new Table(this.options, seededRandom(seed));
  }

  snapshot(...endpoints: Endpoint[]): this {
    return this.run(this.table.applySnapshot(endpoints, this.now));
  }

  put(...endpoints: Endpoint[]): this {
    return this.changes(endpoints, []);
  }

  remove(...ids: string[]): this {
    return this.changes([], ids);
  }

  changes(put: readonly Endpoint[], removed: readonly string[]): this {
    return this.run(this.table.applyChanges(put, removed, this.now));
  }

  ready(...rows: (Row | string)[]): this {
    for (const row of rows)
      this.run(this.table.connectivityChanged(this.row(row), { kind: 'ready' }, this.now));
    return this;
  }

  lost(row: Row | string): this {
    return this.run(this.table.connectivityChanged(this.row(row), { kind: 'lost' }, this.now));
  }

  failed(row: Row | string, why = 'refused'): this {
    const cause = new Error(why);
    return this.run(this.table.connectivityChanged(this.row(row), { kind: 'failed', cause }, this.now));
  }

  start(row: Row | string): this {
    this.table.started(this.row(row));
    this.check();
    return this;
  }

  finish(row: Row | string): this {
    return this.run(this.table.finished(this.row(row), this.now) ?? []);
  }

  close(): this {
    return this.run(this.table.close(this.now));
  }

  /** Lets time pass, and timers run at their moments. */
  advance(ms: number): this {
    const until = this.now + ms;
    while (this.now < until) this.step(until);
    return this.step(until);
  }

  /** Lets time pass until the first moment at which timers run, and those run, or until then. */
  step(until: number): this {
    this.now = Math.max(this.now, Math.min(until, ...this.#timers.values()));
    for (const [row, at] of [...this.#timers]) {
      if (at > this.now) continue;
      this.#timers.delete(row);
      this.run(this.table.timerFired(row, this.now));
    }
    return this;
  }

  /** The announced row of an address. */
  row(address: Row | string): Row {
    if (typeof address !== 'string') return address;
    const row = [...this.table.rows()].find(({ endpoint }) => endpoint.address === address);
    if (row === undefined) throw new Error(`no row of ${address}`);
    return row;
  }

  state(address: Row | string): string {
    return this.row(address).state.kind;
  }

  /** The addresses that may be picked, in order. */
  get picks(): string {
    return this.table.ready
      .map(({ endpoint }) => endpoint.address)
      .sort()
      .join(' ');
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** When the row's timer runs, from now. */
  timerIn(row: Row | string): number | undefined {
    const at = this.#timers.get(this.row(row));
    return at === undefined ? undefined : at - this.now;
  }

  /** What was asked for since the last time, or those entries of it that match. */
  take(wanted = /./): string[] {
    const log = this.log;
    this.log = [];
    return log.filter((entry) => wanted.test(entry));
  }

  run(effects: readonly Effect<unknown>[]): this {
    for (const effect of effects) this.#run(effect);
    this.check();
    return this;
  }

  #run(effect: Effect<unknown>): void {
    if ('endpoint' in effect) {
      this.#announce(effect);
      this.log.push(`${effect.kind} ${effect.endpoint.id}@${effect.endpoint.address}`);
      return;
    }
    const { row } = effect;
    const { address } = row.endpoint;
    this.seen.add(row);
    switch (effect.kind) {
      case 'connect':
        assert.equal(row.state.kind, 'connecting');
        this.#connected.add(row);
        this.log.push(`connect ${address}`);
        break;
      case 'discard':
        // Of a row that never got as far as connecting there is nothing to discard, and that is fine.
        if (this.#connected.delete(row)) this.log.push(`discard ${address}`);
        break;
      case 'cut':
        assert.ok(row.pending > 0, `${address} has calls to cancel`);
        this.cancelled.add(row);
        this.log.push(`cancel ${address}`);
        break;
      case 'timer':
        if (effect.ms === undefined) {
          this.#timers.delete(row);
        } else {
          assert.ok(effect.ms >= 0);
          this.#timers.set(row, this.now + effect.ms);
          this.log.push(`timer ${address} ${effect.ms}`);
        }
        break;
      case 'added':
        assert.ok(!this.#picker.has(row), `${address} is added twice`);
        this.#picker.set(row, row.endpoint);
        this.log.push(`added ${address}`);
        break;
      case 'removed':
        same(this.#picker.get(row), row.endpoint, `${address} is removed as the picker knows it`);
        this.#picker.delete(row);
        this.log.push(`removed ${address}`);
        break;
      case 'updated':
        same(effect.previous, this.#picker.get(row), `${address} was what the picker knows`);
        this.#picker.set(row, row.endpoint);
        this.log.push(`updated ${address}`);
        break;
      case 'state':
        assert.notEqual(effect.from, effect.state.kind);
        this.log.push(`${effect.state.kind} ${address}`);
        break;
    }
  }

  #announce(effect: Extract<Effect<unknown>, { endpoint: Endpoint }>): void {
    const { kind, endpoint } = effect;
    const known = this.#announced.get(endpoint.address);
    if (kind === 'put') {
      same(effect.previous, known, `${endpoint.address} was announced so`);
      this.#announced.set(endpoint.address, endpoint);
    } else {
      same(endpoint, known, `${endpoint.address} was announced so`);
      if (kind === 'gone') this.#announced.delete(endpoint.address);
    }
  }

  /** What holds between any two events. */
  check(): void {
    const { table } = this;
    const rows = [...table.rows()];
    const kinds = rows.map(({ state }) => state.kind);
    const connecting = kinds.filter((kind) => kind === 'connecting').length;
    assert.ok(connecting <= this.options.maxConnecting, `${connecting} connect at once`);
    if (kinds.includes('queued')) assert.equal(connecting, this.options.maxConnecting);

    for (const [i, { position }] of table.ready.entries()) assert.equal(position, i, 'READY is dense');
    for (const row of this.seen) {
      assert.equal(table.ready[row.position] === row, row.position >= 0);
      assert.equal(this.#picker.has(row), row.position >= 0, 'the picker knows the READY rows');
      if (row.position >= 0) same(this.#picker.get(row), row.endpoint, 'the picker knows it as it is');
      this.#checkState(row);
    }
    assert.equal(this.#announced.size, table.size);
    for (const { endpoint } of table.announced()) {
      same(this.#announced.get(endpoint.address), endpoint, 'what is announced is known');
    }
    assert.equal(table.available, table.ready.filter(({ full }) => !full).length);
    assert.equal(
      table.pending,
      [...this.seen].reduce((sum, { pending }) => sum + pending, 0),
    );

    const holders = [...this.seen].filter(({ state, pending }) => state.kind !== 'closed' || pending > 0);
    const slots = holders.map(({ slot }) => slot);
    assert.equal(new Set(slots).size, slots.length, 'no slot has two rows');
  }

  #checkState(row: Row): void {
    const { state } = row;
    const timer = this.#timers.get(row);
    if (row.ids.size > 0) {
      const [smallest] = [...row.ids.keys()].sort();
      same(row.endpoint, row.ids.get(smallest!), 'the smallest id holds');
    }
    switch (state.kind) {
      case 'connecting':
        assert.equal(timer, state.since + this.options.connectTimeoutMs);
        assert.ok(this.#connected.has(row));
        break;
      case 'ready':
        assert.equal(timer !== undefined, row.unconfirmed);
        assert.ok(this.#connected.has(row));
        break;
      case 'failed':
        assert.ok(Math.abs(timer! - state.retryAt) < 1e-6);
        break;
      case 'draining':
        assert.ok(timer! >= this.now);
        assert.equal(row.position, -1);
        break;
      default:
        assert.equal(timer, undefined);
        if (state.kind !== 'queued') assert.ok(!this.#connected.has(row));
    }
  }
}

/** A table of READY rows, which have been so for long enough that a lost connection is not a failure. */
export function connected(...endpoints: Endpoint[]): TableDriver {
  const driver = new TableDriver().snapshot(...endpoints);
  return driver.ready(...driver.table.rows()).advance(1_000);
}

function same(a: Endpoint | undefined, b: Endpoint | undefined, message: string): void {
  if (a === b || (a !== undefined && b !== undefined && sameEndpoint(a, b))) return;
  assert.deepEqual(a, b, message);
}
