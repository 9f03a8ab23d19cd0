import type { Clock } from '../../base/clock.js';
import { asError, BalancerError } from '../../base/errors.js';
import { KeyedTimers } from '../../base/keyed-timers.js';
import type { Random } from '../../base/random.js';
import type { Link } from '../calls/call-host.js';
import type { Balancer, BalancerPort, Timer } from '../core/balancer.js';
import type { UnansweredCall } from '../core/outlier-detector.js';
import type { ConnectivityEvent, Row } from '../table/row.js';
import type { Connection, Transport } from '../transport/grpc-js/transport.js';
import { HealthWatch } from '../transport/health-watch.js';

/** A connection that is to replace one that is silent has this long to become READY: calls go on failing meanwhile. */
const RENEW_TIMEOUT_MS = 5_000;

/** What the connector needs of the pool. */
export interface ConnectorHost {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined until it is made: it is made with the connector as its port. */
  readonly balancer: Balancer<Link>;
  readonly transport: Transport;
  readonly drainTimeoutMs: number;
  /** The name that the health service of every connection is asked for; undefined: it is not asked. */
  readonly healthService: string | undefined;
}

/** The hands of the pool's balancer: real connections, their health, and timers on a clock. */
export class Connector implements BalancerPort<Link> {
  readonly #timers: KeyedTimers<Timer<Link>>;

  constructor(private readonly host: ConnectorHost) {
    const { clock } = host;
    this.#timers = new KeyedTimers(clock, (timer) => host.balancer.timerFired(timer, clock.now()));
  }

  connect(row: Row<Link>): void {
    const { transport } = this.host;
    const link = linkOf(row);
    if (link.connection !== undefined) {
      link.connection.connect();
      return;
    }
    const heard = (event: ConnectivityEvent) => {
      // A row outlives its connections: what an earlier one still tells is not about this one.
      if (link.connection === connection) this.#heard(row, event);
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

  renew(row: Row<Link>): void {
    const { clock, transport } = this.host;
    const { link } = row;
    if (link === undefined || link.renewal !== undefined) return;
    let connection: Link['connection'];
    const broken = (cause: Error) => {
      endRenewal(link);
      this.#heard(row, { kind: 'broken', cause });
    };
    const heard = (event: ConnectivityEvent) => {
      if (connection !== undefined && link.connection === connection) {
        this.#heard(row, event);
      } else if (link.renewal?.connection !== connection) {
        // The row has let go of it.
      } else if (event.kind === 'ready') {
        link.renewal?.cancelTimer();
        link.renewal = undefined;
        this.discard(row);
        link.connection = connection;
        this.connected(row);
        // The old one may have been lost meanwhile.
        this.#heard(row, event);
      } else if (event.kind === 'failed') {
        broken(event.cause);
      }
    };
    const within = `answered nothing, and another connection was not READY within ${RENEW_TIMEOUT_MS} ms`;
    const cancelTimer = clock.after(RENEW_TIMEOUT_MS, () => {
      broken(new BalancerError('CONNECT_FAILED', `${row.endpoint.address} ${within}`));
    });
    const renewal: Link['renewal'] = { connection: undefined, cancelTimer };
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

  discard(row: Row<Link>): void {
    const { link } = row;
    if (link === undefined) return;
    endRenewal(link);
    link.connection?.retire();
    link.former = connectionsOf(row).filter(({ held }) => held > 0);
    link.connection = undefined;
  }

  cut(row: Row<Link>): void {
    const { address } = row.endpoint;
    const given = `was given ${this.host.drainTimeoutMs} ms to finish`;
    for (const connection of connectionsOf(row)) {
      connection.cut(`${address} is not announced any more, and ${given}`);
    }
  }

  unansweredCalls({ link }: Row<Link>): Iterable<UnansweredCall> {
    const startedAt = link?.connection?.oldestCallAt();
    return startedAt === undefined ? [] : [{ startedAt }];
  }

  setTimer(timer: Timer<Link>, ms: number | undefined): void {
    this.#timers.set(timer, ms);
  }

  /** The row is READY: asks its health service, where that is wanted. */
  connected(row: Row<Link>): void {
    const { balancer, clock, healthService, random } = this.host;
    if (healthService === undefined) return;
    const link = linkOf(row);
    const { connection } = link;
    if (connection === undefined) return;
    link.health?.stop();
    link.health = new HealthWatch(connection, healthService, clock, random, (serving) => {
      balancer.setServing(row, serving, clock.now());
    });
  }

  /** The row is READY no more. */
  disconnected({ link }: Row<Link>): void {
    if (link === undefined) return;
    link.health?.stop();
    link.health = undefined;
  }

  #heard(row: Row<Link>, event: ConnectivityEvent): void {
    const { balancer, clock } = this.host;
    balancer.connectivityChanged(row, event, clock.now());
  }
}

function endRenewal(link: Link): void {
  link.renewal?.cancelTimer();
  link.renewal?.connection?.retire();
  link.renewal = undefined;
}

/** Every connection of a row that may have calls. */
function connectionsOf({ link }: Row<Link>): Connection[] {
  if (link === undefined) return [];
  return link.connection === undefined ? [...link.former] : [...link.former, link.connection];
}

function linkOf(row: Row<Link>): Link {
  row.link ??= { connection: undefined, renewal: undefined, former: [], health: undefined };
  return row.link;
}
