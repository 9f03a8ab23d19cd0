/** What an entry counts beside its texts, in bytes (RFC 7541, section 4.1). */
export const ENTRY_OVERHEAD = 32;

/** The size of a field, in a table and in a list (RFC 7541, section 4.1, and RFC 9113, section 6.5.2). */
export function fieldSize(name: string, value: string): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}

/**
 * The fields that both sides remember, newest first (RFC 7541, section 2.3.2). Entries have serial numbers, from 0 in the
 * order in which they came: whoever remembers one can tell its index, and whether it is still there.
 */
export class DynamicTable {
  readonly #entries: (readonly [name: string, value: string])[] = [];
  /** Where the oldest that is left is in `#entries`. */
  #first = 0;
  #inserted = 0;
  #size = 0;

  constructor(private most: number) {}

  /** What the entries may count together. */
  get maxSize(): number {
    return this.most;
  }

  /** What the entries count together. */
  get size(): number {
    return this.#size;
  }

  get count(): number {
    return this.#entries.length - this.#first;
  }

  /** The entry at an index, from 0 for the newest. */
  at(index: number): readonly [name: string, value: string] | undefined {
    return index < this.count ? this.#entries[this.#entries.length - 1 - index] : undefined;
  }

  /** The index of the entry with this serial number; -1 when it is not there any more. */
  indexOf(serial: number): number {
    const index = this.#inserted - 1 - serial;
    return index < this.count ? index : -1;
  }

  /** Returns the serial number. An entry that is larger than the table empties it, and is not kept itself. */
  insert(name: string, value: string): number {
    const size = fieldSize(name, value);
    this.#evict(this.most - size);
    if (size > this.most) return -1;
    this.#entries.push([name, value]);
    this.#size += size;
    return this.#inserted++;
  }

  resize(maxSize: number): void {
    this.most = maxSize;
    this.#evict(maxSize);
  }

  /** Until no more than this is left. */
  #evict(most: number): void {
    while (this.#size > most && this.count > 0) {
      const [name, value] = this.#entries[this.#first++]!;
      this.#size -= fieldSize(name, value);
    }
    if (this.#first > 32 && this.#first * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
