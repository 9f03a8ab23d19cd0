import type { Output } from '../frames/output.js';
import { DEFAULT_HEADER_TABLE_SIZE } from '../frames/protocol.js';
import { DynamicTable } from './dynamic-table.js';
import { huffmanEncode, huffmanLength } from './huffman.js';
import { FIRST_DYNAMIC, STATIC_TABLE, staticNameIndex } from './static-table.js';

/** A field that is sent again and again: the encoder notes in it where its table has it. Each belongs to one encoder. */
export class RepeatedField {
  /** Its index in the static table, when both name and value are there; else 0. */
  readonly staticIndex: number;
  readonly staticNameIndex: number;
  serial = -1;

  constructor(
    readonly name: string,
    readonly value: string,
  ) {
    this.staticIndex = STATIC_TABLE.findIndex(([known, text]) => known === name && text === value) + 1;
    this.staticNameIndex = staticNameIndex(name);
  }
}

/** The first bits of a field (RFC 7541, section 6.2), and how many bits are left for its index. */
const INCREMENTAL = { first: 0x40, bits: 6 };
const PLAIN = { first: 0x00, bits: 4 };
const NEVER = { first: 0x10, bits: 4 };

/** Encodes blocks of fields, one after the other, into what goes out. */
export class Encoder {
  readonly #table = new DynamicTable(DEFAULT_HEADER_TABLE_SIZE);
  #size: number = DEFAULT_HEADER_TABLE_SIZE;
  /** The smallest size since the last block, while the peer has not been told of it. */
  #smallest: number | undefined;

  constructor(private readonly output: Output) {}

  /** What the peer will remember (SETTINGS_HEADER_TABLE_SIZE). More than the default is not made use of. */
  limitTable(limit: number): void {
    const size = Math.min(limit, DEFAULT_HEADER_TABLE_SIZE);
    if (size === this.#size) return;
    this.#size = size;
    this.#smallest = Math.min(this.#smallest ?? size, size);
    this.#table.resize(size);
  }

  /** To be called before the fields of each block. */
  begin(): void {
    if (this.#smallest === undefined) return;
    // RFC 7541, section 4.2: the smallest of the sizes, and the last.
    if (this.#smallest < this.#size) this.#integer(0x20, 5, this.#smallest);
    this.#integer(0x20, 5, this.#size);
    this.#smallest = undefined;
  }

  /** A field that will come again: by its index, and in full only where the peer does not have it. */
  repeated(field: RepeatedField): void {
    if (field.staticIndex > 0) {
      this.output.byte(0x80 | field.staticIndex);
      return;
    }
    const index = field.serial === -1 ? -1 : this.#table.indexOf(field.serial);
    if (index !== -1) {
      this.#integer(0x80, 7, FIRST_DYNAMIC + index);
      return;
    }
    this.#literal(INCREMENTAL, field.staticNameIndex, field.name, field.value, true);
    field.serial = this.#table.insert(field.name, field.value);
  }

  /** A field whose value will hardly come again. */
  plain(name: string, value: string): void {
    this.#literal(PLAIN, staticNameIndex(name), name, value, false);
  }

  /** A field whose value nobody on the way may keep (RFC 7541, section 7.1.3). */
  never(name: string, value: string): void {
    this.#literal(NEVER, staticNameIndex(name), name, value, false);
  }

  #literal(kind: typeof PLAIN, nameIndex: number, name: string, value: string, shorten: boolean): void {
    this.#integer(kind.first, kind.bits, nameIndex);
    if (nameIndex === 0) this.#string(name, shorten);
    this.#string(value, shorten);
  }

  /** @param shorten - spend time on Huffman's code: it pays for what is sent once and remembered. */
  #string(text: string, shorten: boolean): void {
    const { output } = this;
    const length = shorten ? huffmanLength(text) : text.length;
    if (length < text.length) {
      this.#integer(0x80, 7, length);
      output.reserve(length);
      output.length = huffmanEncode(text, output.bytes, output.length);
    } else {
      this.#integer(0, 7, text.length);
      output.latin1(text);
    }
  }

  /** RFC 7541, section 5.1: `first` has the bits that stand before the number, which has `bits` in the first byte. */
  #integer(first: number, bits: number, value: number): void {
    const { output } = this;
    const most = (1 << bits) - 1;
    if (value < most) {
      output.byte(first | value);
      return;
    }
    output.byte(first | most);
    let left = value - most;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) output.byte((left & 0x7f) | 0x80);
    output.byte(left);
  }
}
