import { type Endpoint, sameEndpoint } from '../../base/endpoint.js';
import type { Family, Slice } from './slices.js';

export interface Changes {
  readonly put: readonly Endpoint[];
  readonly removed: readonly string[];
}

/**
 * The endpoints of a service out of all its slices. The same endpoint may be in several of them for a while, as the
 * controller moves it; it is there as long as one of them has it, as the slice of the smallest name says.
 *
 * A service with IPv4 and IPv6 has every pod twice: IPv4 counts while it has endpoints, unless a family is asked for.
 *
 * The work of a change grows with the slice that changed, not with the service.
 */
export class SliceTable {
  readonly #family: Family | undefined;
  #slices = new Map<string, Slice>();
  /** By family, by id, by the name of the slice. */
  #holders: Record<Family, Map<string, Map<string, Endpoint>>> = { 4: new Map(), 6: new Map() };
  #told = new Map<string, Endpoint>();
  #portless = 0;

  constructor(family: Family | undefined) {
    this.#family = family;
  }

  /** How many slices there are. */
  get slices(): number {
    return this.#slices.size;
  }

  /** How many endpoints. */
  get size(): number {
    return this.#told.size;
  }

  /** How many ready pods there are that have no port that could be called. */
  get portless(): number {
    return this.#portless;
  }

  endpoints(): Endpoint[] {
    return [...this.#told.values()];
  }

  complaints(): string[] {
    return [...this.#slices.values()].flatMap(({ complaint }) => complaint ?? []);
  }

  /** All there is. */
  replace(slices: Iterable<Slice>): void {
    this.#slices = new Map();
    this.#holders = { 4: new Map(), 6: new Map() };
    this.#told = new Map();
    this.#portless = 0;
    for (const slice of slices) this.put(slice);
  }

  put(slice: Slice): Changes {
    return this.#change(slice.name, slice);
  }

  remove(name: string): Changes {
    return this.#change(name, undefined);
  }

  #change(name: string, after: Slice | undefined): Changes {
    const before = this.#slices.get(name);
    const counted = this.#counted();
    const touched = new Set<string>();
    for (const { id } of before?.endpoints ?? []) {
      touched.add(id);
      const holders = this.#holders[before!.family].get(id);
      holders?.delete(name);
      if (holders?.size === 0) this.#holders[before!.family].delete(id);
    }
    for (const endpoint of after?.endpoints ?? []) {
      touched.add(endpoint.id);
      const family = this.#holders[after!.family];
      const holders = family.get(endpoint.id) ?? new Map<string, Endpoint>();
      family.set(endpoint.id, holders.set(name, endpoint));
    }
    if (after === undefined) this.#slices.delete(name);
    else this.#slices.set(name, after);
    this.#portless += (after?.portless ?? 0) - (before?.portless ?? 0);
    if (this.#counted() === counted) return this.#tell(touched);
    return this.#tell(new Set([...this.#told.keys(), ...this.#holders[this.#counted()].keys()]));
  }

  #counted(): Family {
    return this.#family ?? (this.#holders[4].size > 0 || this.#holders[6].size === 0 ? 4 : 6);
  }

  #tell(ids: ReadonlySet<string>): Changes {
    const put: Endpoint[] = [];
    const removed: string[] = [];
    for (const id of ids) {
      const endpoint = smallest(this.#holders[this.#counted()].get(id));
      const told = this.#told.get(id);
      if (endpoint === undefined) {
        if (told !== undefined) removed.push(id);
        this.#told.delete(id);
      } else {
        if (told === undefined || !sameEndpoint(told, endpoint)) put.push(endpoint);
        this.#told.set(id, endpoint);
      }
    }
    return { put, removed };
  }
}

/** What the slice of the smallest name says. */
function smallest(holders: ReadonlyMap<string, Endpoint> | undefined): Endpoint | undefined {
  let first: string | undefined;
  for (const name of holders?.keys() ?? []) if (first === undefined || name < first) first = name;
  return first === undefined ? undefined : holders?.get(first);
}
