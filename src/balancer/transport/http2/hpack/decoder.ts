import { DEFAULT_HEADER_TABLE_SIZE } from '../frames/protocol.js';
import { DynamicTable } from './dynamic-table.js';
import { Fields } from './fields.js';
import { huffmanDecode } from './huffman.js';
import { FIRST_DYNAMIC, STATIC_TABLE } from './static-table.js';

/** A block is not what RFC 7541 says: nothing that comes after it can be decoded either. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

const NOTHING = Buffer.alloc(0);

/** Integers above this are refused: no length and no size in a block can have so many. */
const LARGEST_INTEGER = 2 ** 28;

/**
 * Decodes blocks of fields, one after the other. The peer may fill the dynamic table up to the default size until it has
 * acknowledged another, which is what {@link limitTable} is for.
 */
export class Decoder {
  readonly #table = new DynamicTable(DEFAULT_HEADER_TABLE_SIZE);
  #limit: number = DEFAULT_HEADER_TABLE_SIZE;
  /** The table must be made smaller by the next block, which has to begin with that (RFC 9113, section 4.3.1). */
  #mustShrink = false;
  #bytes: Buffer = NOTHING;
  #at = 0;
  #end = 0;

  /** @param maxListSize - what the fields of a block may count together; those over it are decoded and dropped. */
  constructor(private readonly maxListSize: number) {}

  /** True while no block can mean anything but what its bytes say: there is no table, and none can come to be. */
  get stateless(): boolean {
    return this.#limit === 0 && !this.#mustShrink;
  }

  /** The peer has acknowledged this as the most that its table may have. */
  limitTable(limit: number): void {
    this.#limit = limit;
    // A peer that remembers nothing has nothing to forget: some never say that they do not.
    if (this.#table.size === 0) this.#table.resize(Math.min(limit, this.#table.maxSize));
    else this.#mustShrink = this.#table.maxSize > limit;
  }

  /** @throws {@link HpackError} */
  decode(bytes: Buffer, start: number, end: number): Fields {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const fields = new Fields();
    this.#resizes();
    while (this.#at < end) this.#field(fields);
    // A connection may be idle for long: it keeps no block until the next.
    this.#bytes = NOTHING;
    return fields;
  }

  /** Changes of the table's size, which stand at the beginning of a block (RFC 7541, section 4.2). */
  #resizes(): void {
    while (this.#at < this.#end && this.#bytes[this.#at]! >>> 5 === 1) {
      const size = this.#integer(5);
      if (size > this.#limit)
        throw new HpackError(`a table of ${size} bytes, and ${this.#limit} are allowed`);
      this.#table.resize(size);
      this.#mustShrink = false;
    }
    if (this.#mustShrink) throw new HpackError('the table was not made smaller');
  }

  #field(fields: Fields): void {
    const first = this.#bytes[this.#at]!;
    if (first >= 0x80) {
      const [name, value] = this.#indexed(this.#integer(7));
      fields.add(name, value, this.maxListSize);
    } else if (first >= 0x40) {
      const name = this.#name(6);
      const value = this.#string();
      this.#table.insert(name, value);
      fields.add(name, value, this.maxListSize);
    } else if (first >= 0x20) {
      throw new HpackError('a change of the table within a block');
    } else {
      // Without indexing, and never indexed: the same to whoever does not pass it on.
      fields.add(this.#name(4), this.#string(), this.maxListSize);
    }
  }

  #name(prefix: number): string {
    const index = this.#integer(prefix);
    return index === 0 ? this.#string() : this.#indexed(index)[0];
  }

  #indexed(index: number): readonly [name: string, value: string] {
    const field = index < FIRST_DYNAMIC ? STATIC_TABLE[index - 1] : this.#table.at(index - FIRST_DYNAMIC);
    if (field === undefined) throw new HpackError(`no field has the index ${index}`);
    return field;
  }

  #string(): string {
    if (this.#at >= this.#end) throw new HpackError('a block that ends within a field');
    const huffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    if (length > this.#end - start) throw new HpackError('a block that ends within a text');
    this.#at += length;
    if (!huffman) return this.#bytes.toString('latin1', start, this.#at);
    const text = huffmanDecode(this.#bytes, start, this.#at);
    if (text === undefined) throw new HpackError('a text in no Huffman code');
    return text;
  }

  /** RFC 7541, section 5.1. The caller has seen to it that there is a first byte. */
  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= this.#end) throw new HpackError('a block that ends within a number');
      const byte = this.#bytes[this.#at++]!;
      // Zeros may go on for ever, and mean nothing.
      if (shift > 28) throw new HpackError('a number of more than 28 bits');
      value += (byte & 0x7f) * 2 ** shift;
      if (value > LARGEST_INTEGER) throw new HpackError('a number of more than 28 bits');
      if (byte < 0x80) return value;
    }
  }
}
