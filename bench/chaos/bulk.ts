import { announcement } from './etcd-table.js';
import { NOWHERE } from './fake-connections.js';
import type { Change, EtcdGateway } from './gateway.js';

/** etcd takes so many operations in one transaction (`--max-txn-ops`). */
const MOST_OPERATIONS = 128;
/** So many transactions are under way at once. */
const AT_ONCE = 4;

export interface BulkOptions {
  /** How many endpoints. */
  readonly size: number;
  /** 0 where there are real servers for the calls: then these get none. Default 0. */
  readonly weight?: number;
  /** Bytes of metadata of each endpoint. Default 32. */
  readonly bytes?: number;
  /** The number of the first address, so that several have none in common. Default 0. */
  readonly first?: number;
}

/** Many endpoints that are announced in etcd, and that no server stands behind. */
export class Bulk {
  readonly #keysBegin: string;
  readonly #weight: number;
  readonly #bytes: number;
  /** By place: the number of the address that is announced there. */
  readonly #numbers: number[];
  #addresses: number;
  #changes = 0;
  #version = 0;

  constructor(keysBegin: string, { size, weight = 0, bytes = 32, first = 0 }: BulkOptions) {
    this.#keysBegin = keysBegin;
    this.#weight = weight;
    this.#bytes = bytes;
    this.#addresses = first;
    this.#numbers = Array.from({ length: size }, () => this.#addresses++);
  }

  /** Announces all of them. */
  all(): Change[] {
    return this.#numbers.map((number) => this.#put(number, 0));
  }

  /**
   * The next change: of the metadata of one endpoint, and with the next call, of the one after it by another. No two
   * are of the same endpoint until all have had their turn.
   */
  change(): Change[] {
    const place = this.#changes++ % this.#numbers.length;
    const number = this.#numbers[place]!;
    if (this.#changes % 2 === 1) return [this.#put(number, ++this.#version)];
    const next = this.#addresses++;
    this.#numbers[place] = next;
    return [{ remove: this.#key(number) }, this.#put(next, 0)];
  }

  /** Other metadata for the first endpoint. */
  metadataChange(): Change[] {
    return [this.#put(this.#numbers[0]!, ++this.#version)];
  }

  /** The next so many changes, at most as many as there are endpoints. */
  changes(count: number): Change[] {
    return Array.from({ length: count }, () => this.change()).flat();
  }

  #put(number: number, version: number): Change {
    const metadata = {
      weight: this.#weight,
      version: String(version),
      filler: 'x'.repeat(this.#bytes),
    };
    return { put: this.#key(number), value: announcement(address(number), metadata) };
  }

  #key(number: number): string {
    return this.#keysBegin + address(number);
  }
}

/** Makes the changes as fast as etcd takes them, in order within a transaction and in any order between them. */
export async function burst(gateway: EtcdGateway, changes: readonly Change[]): Promise<void> {
  const transactions: Change[][] = [];
  for (let from = 0; from < changes.length; from += MOST_OPERATIONS) {
    transactions.push(changes.slice(from, from + MOST_OPERATIONS));
  }
  const work = async () => {
    for (let next = transactions.pop(); next !== undefined; next = transactions.pop())
      await gateway.change(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function address(number: number): string {
  return `${NOWHERE}${number >> 16}.${(number >> 8) & 255}.${number & 255}:1`;
}
