import {
  Balancer,
  type BalancerOptions,
  type BalancerPort,
  type Timer,
} from '../../balancer/core/balancer.js';
import type { Request } from '../../balancer/core/dispatcher.js';
import type { UnansweredCall } from '../../balancer/core/outlier-detector.js';
import type { Outcome, Picker } from '../../balancer/pickers/picker.js';
import type { ConnectivityEvent, Row } from '../../balancer/table/row.js';
import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';
import { KeyedTimers } from '../../base/keyed-timers.js';
import type { Random } from '../../base/random.js';
import { NONE } from '../../base/slot-lists.js';
import type { Agenda } from '../world/agenda.js';

/** What a client hangs on a row of its table. */
export interface SimulatedSubchannel {
  readonly server: number;
  /** Its connection, if it has one: another object each time. */
  connection: SimulatedConnection | undefined;
  /** The attempts on it, oldest first, where somebody looks for hung servers. */
  firstOpen: number;
}

/** A connection of a client to a server, or an attempt to make one. */
export interface SimulatedConnection {
  readonly client: Client;
  readonly row: Row<SimulatedSubchannel>;
}

/** What a client needs of the world. */
export interface ClientHost {
  readonly agenda: Agenda;
  /** Makes the connection, or fails to, in its own time: by {@link Client.connectivityChanged}. */
  connect(connection: SimulatedConnection, server: number): void;
  /** The client has let go of it. */
  disconnect(connection: SimulatedConnection, server: number): void;
  serverOf(endpoint: Endpoint): number;
  /** Calls on the row have had their time to drain. */
  cut(row: Row<SimulatedSubchannel>): void;
  /** The calls on the row that are not answered, oldest first. */
  unansweredCalls(row: Row<SimulatedSubchannel>): Iterable<UnansweredCall>;
}

/** A pool without its I/O: the balancer of production, whose connections are entries in a list and whose time is virtual. */
export class Client implements BalancerPort<SimulatedSubchannel> {
  readonly balancer: Balancer<SimulatedSubchannel>;
  readonly #timers: KeyedTimers<Timer<SimulatedSubchannel>>;

  constructor(
    options: BalancerOptions,
    picker: Picker,
    random: Random,
    private readonly host: ClientHost,
  ) {
    const { agenda } = host;
    this.#timers = new KeyedTimers(agenda, (timer) => this.balancer.timerFired(timer, agenda.now()));
    this.balancer = new Balancer(options, picker, random, this, {
      heard(event) {
        if (event.kind !== 'picker-failed') return;
        throw new BalancerError(
          'PICKER_FAILED',
          `a hook of picker ${event.picker} threw: ${event.error.message}`,
        );
      },
      settled() {},
    });
  }

  /** News of a connection; late news of one that was let go changes nothing. */
  connectivityChanged(connection: SimulatedConnection, event: ConnectivityEvent): void {
    const { row } = connection;
    if (row.link?.connection !== connection) return;
    this.balancer.connectivityChanged(row, event, this.host.agenda.now());
  }

  /**
   * A row for the attempt, counted; or none.
   *
   * @throws BalancerError PICKER_FAILED: in production, calls would wait for a server while servers wait for calls.
   */
  tryPick(attempt: Request<SimulatedSubchannel>): Row<SimulatedSubchannel> | undefined {
    const { balancer } = this;
    const { table, queue, picker } = balancer;
    const row = balancer.tryPick(attempt, this.host.agenda.now());
    if (row === undefined && table.available > 0 && queue.size === 0 && attempt.exclude === undefined) {
      const what = `chose nobody, and ${table.available} of ${table.ready.length} servers have room`;
      throw new BalancerError('PICKER_FAILED', `picker ${picker.name} ${what}`);
    }
    return row;
  }

  /** An attempt that was picked is over. */
  finish(row: Row<SimulatedSubchannel>, outcome: Outcome): void {
    this.balancer.finish(row, outcome, this.host.agenda.now());
  }

  connect(row: Row<SimulatedSubchannel>): void {
    const subchannel = this.#subchannelOf(row);
    const connection = { client: this, row };
    subchannel.connection = connection;
    this.host.connect(connection, subchannel.server);
  }

  /** Simulated connections do not die without a word. */
  renew(): void {}

  discard({ link }: Row<SimulatedSubchannel>): void {
    if (link?.connection === undefined) return;
    this.host.disconnect(link.connection, link.server);
    link.connection = undefined;
  }

  cut(row: Row<SimulatedSubchannel>): void {
    this.host.cut(row);
  }

  unansweredCalls(row: Row<SimulatedSubchannel>): Iterable<UnansweredCall> {
    return this.host.unansweredCalls(row);
  }

  setTimer(timer: Timer<SimulatedSubchannel>, ms: number | undefined): void {
    this.#timers.set(timer, ms);
  }

  #subchannelOf(row: Row<SimulatedSubchannel>): SimulatedSubchannel {
    row.link ??= { server: this.host.serverOf(row.endpoint), connection: undefined, firstOpen: NONE };
    return row.link;
  }
}
