import type { PoolEvent } from '../../src/balancer/pool/events.js';
import type { Pool } from '../../src/balancer/pool/pool.js';

type Ejected = Extract<PoolEvent, { kind: 'ejected' }>;

/** What befalls the connections of a pool, from when it is READY. Times are those of `performance.now()`. */
export class PoolWatch {
  readonly ejections: Ejected[] = [];
  /** Connections that were READY, and are not. */
  lost = 0;

  constructor(pool: Pool) {
    void this.#follow(pool);
  }

  /** Milliseconds from then until this server was ejected; infinite where it was not. */
  ejectedAfterMs(address: string, since: number): number {
    const ejected = this.ejections.find((event) => event.address === address && event.at >= since);
    return ejected === undefined ? Number.POSITIVE_INFINITY : ejected.at - since;
  }

  async #follow(pool: Pool): Promise<void> {
    for await (const event of pool.events()) {
      if (event.kind === 'ejected') this.ejections.push(event);
      if (event.kind === 'subchannel' && event.from === 'ready') this.lost++;
    }
  }
}

/** How many of its calls each server had, by address. */
export function pickedBy(pool: Pool, address: string): number {
  return pool.snapshot().subchannels.find(({ endpoint }) => endpoint.address === address)?.picked ?? 0;
}
