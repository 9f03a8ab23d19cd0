import { BalancerError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { SimulatedConnection } from '../clients/client.js';
import type { Distribution } from '../scenario/distribution.js';
import type { Agenda } from './agenda.js';
import type { Servers } from './servers.js';

/**
 * The connections of all clients. A server that is down refuses them, and one that stands still accepts them when it goes
 * on: a kernel takes TCP connections for a stopped process, but HTTP/2 settings never come.
 */
export class Connections {
  /** By server, for news to all of them. */
  readonly #made: Set<SimulatedConnection>[];
  readonly #unanswered: Set<SimulatedConnection>[];

  /** @param delay - one way; undefined: none. */
  constructor(
    private readonly servers: Servers,
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly connectMs: number,
    private readonly delay: Distribution | undefined,
    count: number,
  ) {
    this.#made = Array.from({ length: count }, () => new Set());
    this.#unanswered = Array.from({ length: count }, () => new Set());
  }

  /** Those that are made before any time has passed are made at once. */
  connect(connection: SimulatedConnection, server: number): void {
    this.agenda.after(this.agenda.now() === 0 ? 0 : this.connectMs, () => {
      if (!this.servers.isUp(server)) this.#fail(connection);
      else if (this.servers.isStopped(server)) this.#unanswered[server]!.add(connection);
      else this.#ready(connection, server);
    });
  }

  disconnect(connection: SimulatedConnection, server: number): void {
    this.#made[server]!.delete(connection);
    this.#unanswered[server]!.delete(connection);
  }

  /** The server is gone: its clients hear of it a network's delay later. */
  lost(server: number): void {
    const made = [...this.#made[server]!];
    const unanswered = [...this.#unanswered[server]!];
    this.#made[server]!.clear();
    this.#unanswered[server]!.clear();
    for (const connection of made) {
      const delayMs = this.delay?.draw(this.random) ?? 0;
      this.agenda.after(delayMs, () => connection.client.connectivityChanged(connection, { kind: 'lost' }));
    }
    for (const connection of unanswered) this.#fail(connection);
  }

  /** The server goes on after it stood still. */
  resumed(server: number): void {
    const waiting = [...this.#unanswered[server]!];
    this.#unanswered[server]!.clear();
    for (const connection of waiting) this.#ready(connection, server);
  }

  /** How many are connected to each server. */
  counts(): number[] {
    return this.#made.map(({ size }) => size);
  }

  #ready(connection: SimulatedConnection, server: number): void {
    const { client, row } = connection;
    if (row.link?.connection !== connection) return;
    this.#made[server]!.add(connection);
    client.connectivityChanged(connection, { kind: 'ready' });
  }

  #fail(connection: SimulatedConnection): void {
    const cause = new BalancerError('CONNECT_FAILED', 'connection refused');
    connection.client.connectivityChanged(connection, { kind: 'failed', cause });
  }
}
