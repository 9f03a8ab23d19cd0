import type { PoolEvent } from '../../src/balancer/pool/events.js';
import type { Pool } from '../../src/balancer/pool/pool.js';
import { NotSeen } from './observation.js';

/** Longer than any wait should be, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Everything that has happened to a pool, with its time. */
export class PoolLog {
  readonly #events: PoolEvent[] = [];
  #waiting: (() => void)[] = [];
  /** Ends when the pool closes. */
  readonly done: Promise<void>;

  constructor(pool: Pool) {
    this.done = this.#follow(pool);
  }

  /**
   * The first such event since `since`, whether it has happened already or is still to come.
   *
   * @throws NotSeen after 10 s; the signal's reason when it aborts.
   */
  first(
    since: number,
    what: string,
    matches: (event: PoolEvent) => boolean,
    signal: AbortSignal,
  ): Promise<PoolEvent> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.#waiting = this.#waiting.filter((other) => other !== look);
      };
      const look = () => {
        const found = this.#events.find((event) => event.at >= since && matches(event));
        if (found === undefined) return;
        leave();
        resolve(found);
      };
      const abort = () => {
        leave();
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        leave();
        reject(new NotSeen(what, PATIENCE_MS));
      }, PATIENCE_MS);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(look);
      if (signal.aborted) abort();
      else look();
    });
  }

  async #follow(pool: Pool): Promise<void> {
    for await (const event of pool.events()) {
      this.#events.push(event);
      for (const look of this.#waiting) look();
    }
  }
}

/** The address became READY. */
export function ready(address: string): (event: PoolEvent) => boolean {
  return (event) => event.kind === 'subchannel' && event.address === address && event.state.kind === 'ready';
}

/** The address, READY before, is so no more. */
export function lost(address: string): (event: PoolEvent) => boolean {
  return (event) => event.kind === 'subchannel' && event.address === address && event.from === 'ready';
}

export function removed(address: string): (event: PoolEvent) => boolean {
  return (event) => event.kind === 'endpoint-removed' && event.endpoint.address === address;
}

export function registryIs(kind: 'current' | 'stale'): (event: PoolEvent) => boolean {
  return (event) => event.kind === 'registry' && event.state.kind === kind;
}
