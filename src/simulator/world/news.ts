import type { Endpoint } from '../../base/endpoint.js';
import type { Random } from '../../base/random.js';
import type { Client } from '../clients/client.js';
import type { Distribution } from '../scenario/distribution.js';
import type { Agenda } from './agenda.js';

/**
 * The registry, as far as its clients see it: who is announced, and news of changes that reach each client with a delay of
 * its own, in order.
 */
export class News {
  readonly #announced: Set<number>;
  /** By client: when the last news reaches it. */
  readonly #heardAt: Float64Array;

  /** @param announced - the servers announced from the start, which every client knows. */
  constructor(
    private readonly endpoints: readonly Endpoint[],
    announced: Iterable<number>,
    private readonly clients: readonly Client[],
    private readonly delay: Distribution,
    private readonly agenda: Agenda,
    private readonly random: Random,
  ) {
    this.#announced = new Set(announced);
    this.#heardAt = new Float64Array(clients.length);
  }

  /** The server announces itself; a second time, too: its clients hear that it lives. */
  put(server: number): void {
    this.#announced.add(server);
    this.#spread((client) => client.balancer.applyChanges([this.endpoints[server]!], [], this.agenda.now()));
  }

  remove(server: number): void {
    if (!this.#announced.delete(server)) return;
    this.#spread((client) =>
      client.balancer.applyChanges([], [this.endpoints[server]!.id], this.agenda.now()),
    );
  }

  #spread(tell: (client: Client) => void): void {
    const now = this.agenda.now();
    for (const [index, client] of this.clients.entries()) {
      const at = Math.max(this.#heardAt[index]!, now + this.delay.draw(this.random));
      this.#heardAt[index] = at;
      this.agenda.after(at - now, () => tell(client));
    }
  }
}
