import type { Endpoint } from '../../base/endpoint.js';
import type { Logger } from '../../base/logger.js';
import { isKeyOf } from '../keys.js';
import { decodeKey, decodeValue } from './codec.js';

/** A key of the store and its value. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** One change of a key, in the store's order. */
export interface KeyChange {
  readonly key: Uint8Array;
  /** Undefined: the key was removed. */
  readonly value: Uint8Array | undefined;
}

/**
 * Reads the endpoints of one service out of what etcd holds, and complains once of each value that it cannot read:
 * not again at the next snapshot, and again when the value changes.
 */
export class EndpointReader {
  readonly #keysBegin: string;
  readonly #logger: Logger;
  /** The values complained of, by key, of the keys that hold them still. */
  #complained = new Map<string, Uint8Array>();

  constructor(keysBegin: string, logger: Logger) {
    this.#keysBegin = keysBegin;
    this.#logger = logger;
  }

  snapshot(entries: Iterable<KeyValue>): Endpoint[] {
    const before = this.#complained;
    this.#complained = new Map();
    const endpoints: Endpoint[] = [];
    for (const { key, value } of entries) {
      const id = this.#id(key);
      const endpoint = id === undefined ? undefined : this.#read(id, value, before.get(id));
      if (endpoint !== undefined) endpoints.push(endpoint);
    }
    return endpoints;
  }

  /** The last word on each id. What cannot be read any more is not announced any more. */
  changes(batch: Iterable<KeyChange>): { put: Endpoint[]; removed: string[] } {
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
    return { put, removed };
  }

  #id(key: Uint8Array): string | undefined {
    const id = decodeKey(key);
    return id !== undefined && isKeyOf(this.#keysBegin, id) ? id : undefined;
  }

  #read(id: string, value: Uint8Array, complainedOf: Uint8Array | undefined): Endpoint | undefined {
    const { endpoint, complaint } = decodeValue(id, value);
    if (complaint !== undefined) {
      // A copy: the value is a part of a whole page of them.
      this.#complained.set(id, Uint8Array.from(value));
      if (complainedOf === undefined || Buffer.compare(complainedOf, value) !== 0) {
        this.#logger.warn(`key ${JSON.stringify(id)}${endpoint ? '' : ' is skipped'}: ${complaint}`);
      }
    }
    return endpoint;
  }
}
