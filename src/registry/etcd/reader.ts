import { createHash } from 'node:crypto';
import type { Endpoint } from '../../base/endpoint.js';
import { asError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { isKeyOf } from '../keys.js';
import { type Decoded, decodeKey, decodeValue, quote } from './codec.js';
import type { KeyValue, WatchEvent } from './port.js';

/** So many complaints of one snapshot or batch are told one by one; of the others, how many there are. */
const MOST_LINES = 20;
/** Of a key in a complaint, in characters. */
const MOST_OF_A_KEY = 300;

/**
 * Reads the endpoints of one service out of what etcd holds, and complains once of each value that it cannot read:
 * not again at the next snapshot, and again when the value changes.
 */
export class EndpointReader {
  readonly #keysBegin: string;
  #leased = 0;
  readonly #logger: Logger;
  /** The values complained of, hashed, by key, of the keys that hold them still. */
  #complained = new Map<string, string>();
  /** Complaints of the snapshot or batch that is being read. */
  #lines: string[] = [];

  constructor(keysBegin: string, logger: Logger) {
    this.#keysBegin = keysBegin;
    this.#logger = logger;
  }

  /** How many endpoints of the last snapshot hang on a lease. */
  get leased(): number {
    return this.#leased;
  }

  /**
   * Those whose keys hang on a lease come first, as many as {@link leased} says: their servers were heard within its time
   * to live, and are connected before what somebody has written for good and forgotten.
   */
  snapshot(entries: Iterable<Pick<KeyValue, 'key' | 'value' | 'lease'>>): Endpoint[] {
    const before = this.#complained;
    this.#complained = new Map();
    const leased: Endpoint[] = [];
    const others: Endpoint[] = [];
    for (const { key, value, lease } of entries) {
      const id = this.#id(key);
      const endpoint = id === undefined ? undefined : this.#read(id, value, before.get(id));
      if (endpoint !== undefined) (lease === '0' ? others : leased).push(endpoint);
    }
    this.#complain();
    this.#leased = leased.length;
    return leased.length === 0 ? others : leased.concat(others);
  }

  /** The last word on each id. What cannot be read any more is not announced any more. */
  changes(batch: Iterable<Pick<WatchEvent, 'key' | 'value'>>): { put: Endpoint[]; removed: string[] } {
    const last = new Map<string, Endpoint | undefined>();
    for (const { key, value } of batch) {
      const id = this.#id(key);
      if (id === undefined) continue;
      const before = this.#complained.get(id);
      this.#complained.delete(id);
      last.set(id, value && this.#read(id, value, before));
    }
    const put: Endpoint[] = [];
    const removed: string[] = [];
    for (const [id, endpoint] of last) {
      if (endpoint === undefined) removed.push(id);
      else put.push(endpoint);
    }
    this.#complain();
    return { put, removed };
  }

  #id(key: Uint8Array): string | undefined {
    const id = decodeKey(key);
    return id !== undefined && isKeyOf(this.#keysBegin, id) ? id : undefined;
  }

  #read(id: string, value: Uint8Array, complainedOf: string | undefined): Endpoint | undefined {
    const { endpoint, complaint } = decoded(id, value);
    if (complaint !== undefined) {
      const hash = createHash('sha256').update(value).digest('base64');
      this.#complained.set(id, hash);
      if (complainedOf !== hash) {
        this.#lines.push(`key ${quote(id, MOST_OF_A_KEY)}${endpoint ? '' : ' is skipped'}: ${complaint}`);
      }
    }
    return endpoint;
  }

  #complain(): void {
    const lines = this.#lines;
    this.#lines = [];
    for (const line of lines.slice(0, MOST_LINES)) this.#logger.warn(line);
    const more = lines.length - MOST_LINES;
    if (more > 0) this.#logger.warn(`${more} more keys under ${quote(this.#keysBegin)} are wrong`);
  }
}

/** One value that we are not prepared for costs itself. */
function decoded(id: string, value: Uint8Array): Decoded {
  try {
    return decodeValue(id, value);
  } catch (thrown) {
    return { complaint: `its value cannot be read: ${asError(thrown).message}` };
  }
}
