import type { Endpoint } from '../base/endpoint.js';
import type { Registry, RegistryEvent } from '../registry/registry.js';

/** A reader of a watch that keeps the table which its events describe. */
export class Follower {
  readonly events: RegistryEvent[] = [];
  /** By id. */
  readonly table = new Map<string, Endpoint>();
  stale = false;
  ended = false;
  /** What the iteration failed with, which it never should. */
  failure: { readonly thrown: unknown } | undefined;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(registry: Registry, service: string) {
    this.#reading = this.#read(registry.watch(service, this.#stop.signal));
  }

  /** The kinds of the events so far, in short. */
  get kinds(): string {
    return this.events.map(({ kind }) => kind).join(' ');
  }

  get addresses(): string[] {
    return [...this.table.values()].map(({ address }) => address).sort();
  }

  has(address: string): boolean {
    return this.addresses.includes(address);
  }

  count(kind: RegistryEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  /** Aborts the watch. */
  abort(): void {
    this.#stop.abort();
  }

  /** Aborts the watch; resolves when the iteration has ended, rejects with what it failed with. */
  async stop(): Promise<void> {
    this.abort();
    await this.#reading;
    if (this.failure !== undefined) throw this.failure.thrown;
  }

  async #read(events: AsyncIterable<RegistryEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.events.push(event);
        applyTo(this.table, event);
        this.stale = event.kind === 'stale';
      }
    } catch (thrown) {
      this.failure = { thrown };
    }
    this.ended = true;
  }
}

/** What a table is after an event, by the words of {@link RegistryEvent}. */
export function applyTo(table: Map<string, Endpoint>, event: RegistryEvent): void {
  if (event.kind === 'snapshot') {
    table.clear();
    for (const endpoint of event.endpoints) table.set(endpoint.id, endpoint);
  } else if (event.kind === 'changes') {
    for (const endpoint of event.put) table.set(endpoint.id, endpoint);
    for (const id of event.removed) table.delete(id);
  }
}
