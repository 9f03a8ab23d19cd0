import type { Endpoint } from '../base/endpoint.js';
import type { RegistryEvent } from './registry.js';

/**
 * The events of one watch between the registry and its reader.
 *
 * A waiting reader gets each event as it comes. For one that lags, what it has not taken is folded into the fewest
 * events that say the same, so that the queue is bounded by the size of the registry, not by its history: a snapshot
 * replaces all before it, changes keep the last word on each id, and `stale` stays only while it is true.
 */
export class EventQueue {
  #reader: ((event: RegistryEvent | undefined) => void) | undefined;
  #ended = false;
  #snapshot: RegistryEvent | undefined;
  readonly #put = new Map<string, Endpoint>();
  readonly #removed = new Set<string>();
  #stale: Error | undefined;

  push(event: RegistryEvent): void {
    if (this.#ended) return;
    if (this.#reader !== undefined) {
      this.#hand(event);
      return;
    }
    switch (event.kind) {
      case 'snapshot':
        this.#snapshot = event;
        this.#put.clear();
        this.#removed.clear();
        this.#stale = undefined;
        return;
      case 'changes':
        for (const endpoint of event.put) {
          this.#put.set(endpoint.id, endpoint);
          this.#removed.delete(endpoint.id);
        }
        for (const id of event.removed) {
          this.#put.delete(id);
          this.#removed.add(id);
        }
        this.#stale = undefined;
        return;
      case 'stale':
        this.#stale ??= event.cause;
    }
  }

  /** What was not taken is forgotten, and the reader told that this is all. */
  end(): void {
    this.#ended = true;
    if (this.#reader !== undefined) this.#hand(undefined);
  }

  /** True when there is nothing to take now. */
  get isEmpty(): boolean {
    return this.#snapshot === undefined && this.#put.size + this.#removed.size === 0 && !this.#stale;
  }

  /** The next event, or undefined once ended. One reader at a time. */
  take(): Promise<RegistryEvent | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    const event = this.#oldest();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  #hand(event: RegistryEvent | undefined): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(event);
  }

  #oldest(): RegistryEvent | undefined {
    if (this.#snapshot !== undefined) {
      const snapshot = this.#snapshot;
      this.#snapshot = undefined;
      return snapshot;
    }
    if (this.#put.size + this.#removed.size > 0) {
      const event = { kind: 'changes', put: [...this.#put.values()], removed: [...this.#removed] } as const;
      this.#put.clear();
      this.#removed.clear();
      return event;
    }
    if (this.#stale !== undefined) {
      const cause = this.#stale;
      this.#stale = undefined;
      return { kind: 'stale', cause };
    }
    return undefined;
  }
}

/** Reads the queue until `signal` aborts; `leave` runs once when the reading ends, for whatever reason. */
export async function* readEvents(
  queue: EventQueue,
  signal: AbortSignal,
  leave: () => void | Promise<void>,
): AsyncGenerator<RegistryEvent, void, undefined> {
  const end = () => queue.end();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    for (let event = await queue.take(); event !== undefined; event = await queue.take()) yield event;
  } finally {
    signal.removeEventListener('abort', end);
    queue.end();
    await leave();
  }
}
