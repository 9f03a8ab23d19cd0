import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Link } from '../calls/call-host.js';
import type { Dispatcher } from '../core/dispatcher.js';
import type { Ejection } from '../core/ejection.js';
import type { Verdict } from '../core/outlier.js';
import type { ConnectivityEvent, Effect, Row } from '../table/row.js';
import type { Table } from '../table/table.js';
import type { Connection, Transport } from '../transport/grpc-js/transport.js';
import { HealthWatch } from '../transport/health-watch.js';
import type { PoolEvent } from './events.js';

/** What the connector needs of the pool. */
export interface ConnectorHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly table: Table<Link>;
  readonly dispatcher: Dispatcher<Link>;
  readonly transport: Transport;
  readonly drainTimeoutMs: number;
  /** The name that the health service of every connection is asked for; undefined: it is not asked. */
  readonly healthService: string | undefined;
  readonly ejection: Ejection<Link> | undefined;
  /** Whether anybody hears {@link tell}. */
  heard(): boolean;
  tell(event: PoolEvent): void;
  /** Effects have been run. */
  settled(): void;
}

/** Runs the table's effects: connections, timers, health checks, and the picker's news. */
export class Connector {
  constructor(private readonly host: ConnectorHost) {}

  run(effects: readonly Effect<Link>[]): void {
    const { dispatcher, clock } = this.host;
    let grown = false;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'connect':
          this.#connect(effect.row);
          break;
        case 'discard':
          this.#discard(effect.row);
          break;
        case 'cancel': {
          const { address } = effect.row.endpoint;
          const given = `was given ${this.host.drainTimeoutMs} ms to finish`;
          for (const connection of connectionsOf(effect.row)) {
            connection.cut(`${address} is not announced any more, and ${given}`);
          }
          break;
        }
        case 'timer':
          this.#arm(effect.row, effect.ms);
          break;
        case 'put':
          dispatcher.announced(effect.endpoint, effect.previous);
          break;
        case 'gone':
          dispatcher.announced(undefined, effect.endpoint);
          break;
        case 'added':
          dispatcher.added(effect.row);
          grown = true;
          break;
        case 'removed':
          dispatcher.removed(effect.row);
          break;
        case 'updated':
          dispatcher.updated(effect.row, effect.previous);
          grown = true;
          break;
        case 'state':
          if (effect.state.kind === 'ready') this.#connected(effect.row);
          else if (effect.from === 'ready') this.#disconnected(effect.row);
          break;
      }
      if (this.host.heard()) this.#publish(effect);
    }
    if (grown) dispatcher.offer(clock.now());
    this.host.settled();
  }

  /** What the outlier detector decided. */
  apply(verdict: Verdict<Row<Link>>): void {
    const { table, clock, tell } = this.host;
    const { row, kind } = verdict;
    const at = clock.now();
    const { address } = row.endpoint;
    if (kind === 'returned') tell({ kind, at, address });
    else tell({ kind, at, address, reason: verdict.reason, forMs: verdict.forMs });
    this.run(table.setEjected(row, kind === 'ejected', at));
  }

  #connect(row: Row<Link>): void {
    const { table, transport, clock } = this.host;
    const link = linkOf(row);
    if (link.connection !== undefined) {
      link.connection.connect();
      return;
    }
    const heard = (event: ConnectivityEvent) => {
      // A row outlives its connections: what an earlier one still tells is not about this one.
      if (link.connection === connection) this.run(table.connectivity(row, event, clock.now()));
    };
    let connection: Link['connection'];
    try {
      connection = transport(row.endpoint, heard);
      link.connection = connection;
      connection.connect();
    } catch (thrown) {
      const cause = asError(thrown);
      queueMicrotask(() => heard({ kind: 'failed', cause }));
    }
  }

  #discard(row: Row<Link>): void {
    const { link } = row;
    if (link === undefined) return;
    link.connection?.retire();
    link.former = connectionsOf(row).filter(({ held }) => held > 0);
    link.connection = undefined;
  }

  #arm(row: Row<Link>, ms: number | undefined): void {
    const { table, clock } = this.host;
    const link = linkOf(row);
    link.cancelTimer?.();
    link.cancelTimer =
      ms === undefined ? undefined : clock.after(ms, () => this.run(table.timeout(row, clock.now())));
  }

  /** A connection is a new server: what was known of the one before it is forgotten. */
  #connected(row: Row<Link>): void {
    const { ejection, healthService, clock, random, table, tell } = this.host;
    ejection?.connected(row);
    if (healthService === undefined) return;
    const link = linkOf(row);
    const { connection } = link;
    if (connection === undefined) return;
    link.health?.stop();
    link.health = new HealthWatch(connection, healthService, clock, random, (serving) => {
      if (serving === row.serving) return;
      tell({ kind: 'health', at: clock.now(), address: row.endpoint.address, serving });
      this.run(table.setServing(row, serving, clock.now()));
    });
  }

  #disconnected(row: Row<Link>): void {
    this.host.ejection?.disconnected(row);
    row.link?.health?.stop();
    if (row.link !== undefined) row.link.health = undefined;
  }

  #publish(effect: Effect<Link>): void {
    const { clock, tell } = this.host;
    const at = clock.now();
    switch (effect.kind) {
      case 'put':
        tell({ kind: 'endpoint-put', at, endpoint: effect.endpoint });
        break;
      case 'unconfirmed':
        tell({ kind: 'endpoint-unconfirmed', at, endpoint: effect.endpoint });
        break;
      case 'gone':
        tell({ kind: 'endpoint-removed', at, endpoint: effect.endpoint });
        break;
      case 'state': {
        const { address } = effect.row.endpoint;
        tell({ kind: 'subchannel', at, address, from: effect.from, state: effect.state });
        break;
      }
    }
  }
}

/** Every connection of a row that may have calls. */
function connectionsOf({ link }: Row<Link>): Connection[] {
  if (link === undefined) return [];
  return link.connection === undefined ? [...link.former] : [...link.former, link.connection];
}

function linkOf(row: Row<Link>): Link {
  row.link ??= { connection: undefined, former: [], cancelTimer: undefined, health: undefined };
  return row.link;
}
