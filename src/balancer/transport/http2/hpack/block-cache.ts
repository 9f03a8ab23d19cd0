import type { Fields } from './fields.js';

/** Blocks at a time; a power of two. */
const SLOTS = 32;
/** Longer blocks are not remembered. */
const LONGEST = 512;
/** Fields that count more are not remembered: they would be kept for as long as the transport is. */
const LARGEST = 4_096;

interface Entry {
  readonly bytes: Uint8Array;
  readonly fields: Fields;
}

/**
 * Remembers blocks that were decoded without a table, so that equal bytes are equal fields: the responses of a server begin
 * and end in the same few ways. One for all connections of a transport.
 */
export class BlockCache {
  readonly #slots: (Entry | undefined)[] = new Array(SLOTS).fill(undefined);

  get(bytes: Uint8Array, start: number, end: number): Fields | undefined {
    const entry = this.#slots[slotOf(bytes, start, end)];
    if (entry === undefined || entry.bytes.length !== end - start) return undefined;
    const known = entry.bytes;
    for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return undefined;
    return entry.fields;
  }

  put(bytes: Uint8Array, start: number, end: number, fields: Fields): void {
    if (end - start > LONGEST || fields.size > LARGEST) return;
    this.#slots[slotOf(bytes, start, end)] = { bytes: new Uint8Array(bytes.subarray(start, end)), fields };
  }
}

/** Blocks that differ, differ mostly in length or near their ends. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const middle = bytes[start + (length >>> 1)] ?? 0;
  return (length * 31 + (bytes[end - 1] ?? 0) * 7 + middle) & (SLOTS - 1);
}
