import { type Endpoint, sameEndpoint } from '../../base/endpoint.js';
import type { Effect, Row } from './row.js';

/**
 * The rows that may be picked, as one dense array, and how many of them have room. Here the rules meet that take a server out
 * of use without closing its connection:
 *
 * - a row that does not serve (its health service says so, or it is not READY) is out;
 * - a row of weight 0 is out while the weight of any row of the table is above 0, READY or not: to take the last weighted
 *   server down must not bring back those that were taken out of use;
 * - an ejected row is out while at least half of what could be picked is left. Below that ejection is ignored, for all of
 *   them: if most servers fail, it is not the servers (Envoy's panic threshold).
 *
 * A batch of news moves rows in and out more than once. The picker hears of it at the end, one step for each row
 * ({@link ReadySet.news}).
 */
export class ReadySet<L> {
  /** Order means nothing, and changes: a row that leaves is replaced by the last. */
  readonly rows: Row<L>[] = [];
  /** How many of `rows` are below their limit. */
  available = 0;
  readonly #standby = new Set<Row<L>>();
  /** What could be picked, and is ejected. */
  readonly #ejected = new Set<Row<L>>();
  /** How many rows could be picked, ejected ones too. */
  #candidates = 0;
  #panic = false;
  /** Rows that have changed since the picker was told, and what it knows of them; undefined: nothing. */
  readonly #changed = new Map<Row<L>, Endpoint | undefined>();
  /** Rows of the table whose weight is above 0. */
  #weighted = 0;

  /** Counts a change in the table's rows above weight 0; the first and the last of them move those of weight 0. */
  weigh(change: number): void {
    const before = this.#weighted;
    this.#weighted += change;
    if ((before === 0) === (this.#weighted === 0)) return;
    const weightless = [...this.rows, ...this.#ejected].filter(({ endpoint }) => endpoint.weight === 0);
    const moved = this.#weighted === 0 ? [...this.#standby] : weightless;
    for (const row of moved) this.update(row);
  }

  /** Puts the row in, or takes it out, as its state, health and weight have it. */
  update(row: Row<L>): void {
    const serves = row.state.kind === 'ready' && row.serving;
    const candidate = serves && (row.endpoint.weight > 0 || this.#weighted === 0);
    if (serves && !candidate) this.#standby.add(row);
    else this.#standby.delete(row);
    if (candidate !== row.candidate) {
      row.candidate = candidate;
      this.#candidates += candidate ? 1 : -1;
    }
    if (candidate && row.ejected) this.#ejected.add(row);
    else this.#ejected.delete(row);
    this.#expose(row, candidate && (this.#panic || !row.ejected));
    const panic = this.#candidates - this.#ejected.size < this.#candidates / 2;
    if (panic === this.#panic) return;
    this.#panic = panic;
    for (const ejected of this.#ejected) this.#expose(ejected, panic);
  }

  #expose(row: Row<L>, exposed: boolean): void {
    if (exposed === row.position >= 0) return;
    this.changing(row);
    if (exposed) this.#add(row);
    else this.#delete(row);
  }

  /** To be told before the attributes of a row change. */
  changing(row: Row<L>): void {
    if (!this.#changed.has(row)) this.#changed.set(row, row.position >= 0 ? row.endpoint : undefined);
  }

  /**
   * What the picker has to be told: one step for each row, from what it knows to what is. It looks at rows as they are
   * by then, so what came and went within a batch must not show.
   */
  *news(): IterableIterator<Effect<L>> {
    for (const [row, known] of this.#changed) {
      const exposed = row.position >= 0;
      if (known === undefined) {
        if (exposed) yield { kind: 'added', row };
        continue;
      }
      if (!sameEndpoint(known, row.endpoint)) yield { kind: 'updated', row, previous: known };
      if (!exposed) yield { kind: 'removed', row };
    }
    this.#changed.clear();
  }

  /** The row's limit is another from now on. */
  limit(row: Row<L>, limit: number): void {
    const exposed = row.position >= 0;
    if (exposed && !row.full) this.available--;
    row.limit = limit;
    if (exposed && !row.full) this.available++;
  }

  #add(row: Row<L>): void {
    row.position = this.rows.length;
    this.rows.push(row);
    if (!row.full) this.available++;
  }

  #delete(row: Row<L>): void {
    const last = this.rows.pop()!;
    if (last !== row) {
      this.rows[row.position] = last;
      last.position = row.position;
    }
    row.position = -1;
    if (!row.full) this.available--;
  }
}
