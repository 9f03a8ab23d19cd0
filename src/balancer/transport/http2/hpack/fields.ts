import { fieldSize } from './dynamic-table.js';

/**
 * The fields of one block, in order. They do not change once it is decoded: it may be remembered, and belong to many calls.
 * What was found out about it is noted in it.
 */
export class Fields {
  readonly names: string[] = [];
  readonly values: string[] = [];
  /** What they count together (RFC 9113, section 6.5.2), whether they were kept or not. */
  size = 0;
  /** They count more than is allowed, and those over it were not kept. */
  tooLarge = false;
  /** What is wrong with them as the headers of a response, and as trailers; empty for nothing. */
  readonly faults: { headers: string | undefined; trailers: string | undefined } = {
    headers: undefined,
    trailers: undefined,
  };

  /** What gRPC makes of them as the beginning of a response, and as its end. */
  head: unknown = undefined;
  end: unknown = undefined;

  add(name: string, value: string, maxSize: number): void {
    this.size += fieldSize(name, value);
    if (this.size > maxSize) {
      this.tooLarge = true;
      return;
    }
    this.names.push(name);
    this.values.push(value);
  }

  /** The first value of a name. */
  get(name: string): string | undefined {
    const at = this.names.indexOf(name);
    return at === -1 ? undefined : this.values[at];
  }
}
