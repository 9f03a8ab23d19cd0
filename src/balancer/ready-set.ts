import type { Effect, Row } from './row.js';

/**
 * The rows that may be picked, as one dense array, and how many of them have room.
 *
 * Rows of weight 0 are kept back while the weight of any row of the table is above 0.
 */
export class ReadySet<L> {
  /** Order means nothing, and changes: a row that leaves is replaced by the last. */
  readonly rows: Row<L>[] = [];
  /** How many of `rows` are below their limit. */
  available = 0;
  readonly #standby = new Set<Row<L>>();
  /** Rows of the table whose weight is above 0. */
  #weighted = 0;

  /** @param tell - hears which rows the picker gains and loses. */
  constructor(private readonly tell: (effect: Effect<L>) => void) {}

  /** Counts a change in the table's rows above weight 0; the first and the last of them move those of weight 0. */
  weigh(change: number): void {
    const before = this.#weighted;
    this.#weighted += change;
    if ((before === 0) === (this.#weighted === 0)) return;
    const moved =
      this.#weighted === 0 ? [...this.#standby] : this.rows.filter(({ endpoint }) => endpoint.weight === 0);
    for (const row of moved) this.update(row);
  }

  /** Puts the row in, or takes it out, as its state and weight have it. */
  update(row: Row<L>): void {
    const ready = row.state.kind === 'ready';
    const exposed = ready && (row.endpoint.weight > 0 || this.#weighted === 0);
    if (ready && !exposed) this.#standby.add(row);
    else this.#standby.delete(row);
    if (exposed === row.position >= 0) return;
    if (exposed) this.#add(row);
    else this.#delete(row);
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
    this.tell({ kind: 'added', row });
  }

  #delete(row: Row<L>): void {
    const last = this.rows.pop()!;
    if (last !== row) {
      this.rows[row.position] = last;
      last.position = row.position;
    }
    row.position = -1;
    if (!row.full) this.available--;
    this.tell({ kind: 'removed', row });
  }
}
