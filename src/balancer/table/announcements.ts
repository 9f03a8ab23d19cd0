import { type Endpoint, sameEndpoint } from '../../base/endpoint.js';
import type { Row } from './row.js';

/** What the table makes of news. Called in the midst of a batch. */
export interface AnnouncementsHost<L> {
  /** An address is announced that has no row. */
  make(endpoint: Endpoint): Row<L>;
  /** A row that nobody announced is announced again: within the batch, or after it was doubted. */
  announcedAgain(row: Row<L>): void;
  /** The attributes of the row are these from now on. */
  changed(row: Row<L>, attributes: Endpoint): void;
}

/**
 * Who announces an address. Rows are keyed by address, and a row remembers which ids announce it: two processes may
 * announce the same address for a while, when a server restarts under a new lease, and its row stays as long as one of
 * them does. The attributes of a row are those of its smallest id, so that every client sees the same.
 */
export class Announcements<L> {
  /** Announced rows, and those that are kept though nobody announces them. */
  readonly #rows = new Map<string, Row<L>>();
  readonly #byId = new Map<string, Row<L>>();
  /** Rows that lost their last id in the present batch. */
  readonly #orphans = new Set<Row<L>>();
  #count = 0;

  constructor(private readonly host: AnnouncementsHost<L>) {}

  /** How many rows are announced by somebody. */
  get count(): number {
    return this.#count;
  }

  /** How many addresses have a row. */
  get size(): number {
    return this.#rows.size;
  }

  rows(): IterableIterator<Row<L>> {
    return this.#rows.values();
  }

  /** The row of an address. */
  at(address: string): Row<L> | undefined {
    return this.#rows.get(address);
  }

  /** The whole truth: ids that are not in it are gone, and what is equal by value stays as it is. */
  replace(endpoints: readonly Endpoint[]): void {
    const told = new Set<string>();
    for (const { id } of endpoints) told.add(id);
    for (const id of [...this.#byId.keys()]) if (!told.has(id)) this.remove(id);
    for (const endpoint of endpoints) {
      const known = this.#byId.get(endpoint.id)?.ids.get(endpoint.id);
      if (known === undefined || !sameEndpoint(known, endpoint)) this.put(endpoint);
    }
  }

  put(endpoint: Endpoint): void {
    let row = this.#byId.get(endpoint.id);
    if (row !== undefined && row.endpoint.address !== endpoint.address) {
      this.remove(endpoint.id);
      row = undefined;
    }
    row ??= this.#rows.get(endpoint.address);
    if (row === undefined) {
      row = this.host.make(endpoint);
      this.#rows.set(endpoint.address, row);
      this.#announce(row, endpoint);
      this.#count++;
      return;
    }
    if (row.ids.size === 0) {
      this.#count++;
      this.#orphans.delete(row);
      this.host.announcedAgain(row);
    }
    this.#announce(row, endpoint);
    this.#reconcile(row);
  }

  remove(id: string): void {
    const row = this.#byId.get(id);
    if (row === undefined) return;
    this.#byId.delete(id);
    row.ids.delete(id);
    if (row.ids.size > 0) {
      this.#reconcile(row);
    } else {
      this.#count--;
      this.#orphans.add(row);
    }
  }

  /** The end of a batch: the rows that nobody announces any more. Each is to be kept on purpose, or dropped. */
  takeOrphans(): readonly Row<L>[] {
    if (this.#orphans.size === 0) return [];
    const orphans = [...this.#orphans];
    this.#orphans.clear();
    return orphans;
  }

  /** The row has no address any more. */
  drop(row: Row<L>): void {
    this.#rows.delete(row.endpoint.address);
  }

  /** A row that was dropped has its address again, announced by nobody. */
  restore(row: Row<L>): void {
    this.#rows.set(row.endpoint.address, row);
  }

  /** Forgets all that was announced. Rows stay, to be dropped one by one. */
  forgetIds(): void {
    this.#byId.clear();
    for (const row of this.#rows.values()) row.ids.clear();
  }

  #announce(row: Row<L>, endpoint: Endpoint): void {
    row.ids.set(endpoint.id, endpoint);
    this.#byId.set(endpoint.id, row);
  }

  #reconcile(row: Row<L>): void {
    let smallest: Endpoint | undefined;
    for (const endpoint of row.ids.values()) {
      if (smallest === undefined || endpoint.id < smallest.id) smallest = endpoint;
    }
    if (smallest !== undefined && !sameEndpoint(smallest, row.endpoint)) this.host.changed(row, smallest);
  }
}
