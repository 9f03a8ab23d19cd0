import { type Clock, inBackground } from '../../base/clock.js';
import { asError, BalancerError } from '../../base/errors.js';
import { KeyedTimers } from '../../base/keyed-timers.js';
import type { Random } from '../../base/random.js';
import type { Balancer, BalancerPort, Timer } from '../core/balancer.js';
import type { UnansweredCall } from '../core/outlier-detector.js';
import type { Row } from '../table/row.js';
import { HealthWatch } from '../transport/health-watch.js';
import type { Connection, ConnectionEvent, Transport } from '../transport/transport.js';
import type { Subchannel } from './subchannel.js';

/** A connection that is to replace one that is silent has this long to become READY: calls go on failing meanwhile. */
const RENEW_TIMEOUT_MS = 5_000;

/** What the connector needs of the pool. */
export interface ConnectorHost {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined until it is made: it is made with the connector as its port. */
  readonly balancer: Balancer<Subchannel>;
  readonly transport: Transport;
  readonly drainTimeoutMs: number;
  /** The name that the health service of every connection is asked for; undefined: it is not asked. */
  readonly healthService: string | undefined;
}

/** The hands of the pool's balancer: real connections, their health, and timers on a clock. */
export class Connector implements BalancerPort<Subchannel> {
  readonly #timers: KeyedTimers<Timer<Subchannel>>;
  /** What a connector waits for keeps no process alive: calls do. */
  readonly #background: Clock;

  constructor(private readonly host: ConnectorHost) {
    const { clock } = host;
    this.#background = inBackground(clock);
    this.#timers = new KeyedTimers(this.#background, (timer) => host.balancer.timerFired(timer, clock.now()));
  }

  connect(row: Row<Subchannel>): void {
    const { transport } = this.host;
    const link = linkOf(row);
    if (link.connection !== undefined) {
      link.connection.connect();
      return;
    }
    const heard = (event: ConnectionEvent) => {
      // A row outlives its connections: what an earlier one still tells is not about this one.
      if (link.connection === connection) this.#heard(row, event);
    };
    let connection: Subchannel['connection'];
    try {
      connection = transport(row.endpoint, heard);
      link.connection = connection;
      connection.connect();
    } catch (thrown) {
      const cause = asError(thrown);
      queueMicrotask(() => heard({ kind: 'failed', cause }));
    }
  }

  renew(row: Row<Subchannel>): void {
    const { transport } = this.host;
    const { link } = row;
    if (link === undefined || link.renewal !== undefined) return;
    let connection: Subchannel['connection'];
    const broken = (cause: Error) => {
      endRenewal(link);
      this.#heard(row, { kind: 'broken', cause });
    };
    const heard = (event: ConnectionEvent) => {
      if (connection !== undefined && link.connection === connection) {
        this.#heard(row, event);
      } else if (link.renewal?.connection !== connection) {
        // The row has let go of it.
      } else if (event.kind === 'ready') {
        // Announced no more meanwhile: there is nothing to take the place of.
        if (row.state.kind === 'draining' || row.state.kind === 'closed') {
          endRenewal(link);
          return;
        }
        link.renewal?.cancelTimer();
        link.renewal = undefined;
        this.discard(row);
        link.connection = connection;
        if (row.state.kind === 'ready') this.connected(row);
        // The old one may have been lost meanwhile.
        this.#heard(row, event);
      } else if (event.kind === 'failed') {
        broken(event.cause);
      }
    };
    const within = `answered nothing, and another connection was not READY within ${RENEW_TIMEOUT_MS} ms`;
    const cancelTimer = this.#background.after(RENEW_TIMEOUT_MS, () => {
      broken(new BalancerError('CONNECT_FAILED', `${row.endpoint.address} ${within}`));
    });
    const renewal: Subchannel['renewal'] = { connection: undefined, cancelTimer };
    link.renewal = renewal;
    try {
      connection = transport(row.endpoint, heard);
      renewal.connection = connection;
      connection.connect();
    } catch (thrown) {
      const cause = asError(thrown);
      queueMicrotask(() => {
        if (link.renewal === renewal) broken(cause);
      });
    }
  }

  discard(row: Row<Subchannel>): void {
    const { link } = row;
    if (link === undefined) return;
    endRenewal(link);
    this.disconnected(row);
    link.connection?.retire();
    link.former = connectionsOf(row).filter(({ held }) => held > 0);
    link.connection = undefined;
  }

  cut(row: Row<Subchannel>): void {
    const { address } = row.endpoint;
    const given = `was given ${this.host.drainTimeoutMs} ms to finish`;
    for (const connection of connectionsOf(row)) {
      connection.cut(`${address} is not announced any more, and ${given}`);
    }
  }

  unansweredCalls({ link }: Row<Subchannel>): Iterable<UnansweredCall> {
    return link?.connection?.unansweredCalls() ?? [];
  }

  setTimer(timer: Timer<Subchannel>, ms: number | undefined): void {
    this.#timers.set(timer, ms);
  }

  /** The row is READY: asks its health service, where that is wanted. */
  connected(row: Row<Subchannel>): void {
    const { balancer, clock, healthService, random } = this.host;
    if (healthService === undefined) return;
    const link = linkOf(row);
    const { connection } = link;
    if (connection === undefined) return;
    link.health?.stop();
    link.health = new HealthWatch(connection, healthService, this.#background, random, (serving) => {
      balancer.setServing(row, serving, clock.now());
    });
  }

  /** The row is READY no more. */
  disconnected({ link }: Row<Subchannel>): void {
    if (link === undefined) return;
    link.health?.stop();
    link.health = undefined;
  }

  #heard(row: Row<Subchannel>, event: ConnectionEvent): void {
    const { balancer, clock } = this.host;
    const limit = row.link?.connection?.streamLimit ?? Number.POSITIVE_INFINITY;
    if (limit !== row.streams) balancer.streamLimitChanged(row, limit, clock.now());
    if (event.kind !== 'stream-limit') balancer.connectivityChanged(row, event, clock.now());
  }
}

function endRenewal(link: Subchannel): void {
  link.renewal?.cancelTimer();
  link.renewal?.connection?.retire();
  link.renewal = undefined;
}

/** Every connection of a row that may have calls. */
function connectionsOf({ link }: Row<Subchannel>): Connection[] {
  if (link === undefined) return [];
  return link.connection === undefined ? [...link.former] : [...link.former, link.connection];
}

function linkOf(row: Row<Subchannel>): Subchannel {
  row.link ??= { connection: undefined, renewal: undefined, former: [], health: undefined };
  return row.link;
}
