import { BalancerError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import type { Effect, Row } from './row.js';
import type { SubchannelState } from './state.js';
import type { TableOptions } from './table-options.js';

/** gRPC connection back-off (grpc/grpc doc/connection-backoff.md): multiplier and jitter. */
const BACKOFF_MULTIPLIER = 1.6;
const BACKOFF_JITTER = 0.2;
/** A connection lost within this time of becoming READY counts as a failure, or a flapping server would spin us. */
const FLAP_MS = 1_000;
/** A repeated put gives up an attempt to connect that is older than this, and starts another. */
const RESTART_CONNECTING_MS = 1_000;

/** What connecting needs of the table. */
export interface ConnectingHost<L> {
  enter(row: Row<L>, state: SubchannelState): void;
  effect(effect: Effect<L>): void;
}

/**
 * How rows come to be connected: they queue for one of a few places, so that a fleet's accept queues are not flooded, and
 * after a failure they wait before they queue again.
 *
 * ```
 * queued -> connecting -> ready -> (lost) queued
 *    ^         | failed
 *    +-- wait -+
 * ```
 */
export class Connecting<L> {
  /** Rows that wait for a place, in order. */
  readonly #queued = new Set<Row<L>>();
  #places: number;

  constructor(
    private readonly options: Pick<TableOptions, 'maxConnecting' | 'connectTimeoutMs' | 'reconnect'>,
    private readonly random: Random,
    private readonly host: ConnectingHost<L>,
  ) {
    this.#places = options.maxConnecting;
  }

  /** To be told of every change of a row's state, before it is made. */
  changing(row: Row<L>, to: SubchannelState): void {
    if (row.state.kind === 'connecting') this.#places++;
    else if (row.state.kind === 'queued') this.#queued.delete(row);
    if (to.kind === 'connecting') this.#places--;
  }

  /** The row is to be connected. */
  enqueue(row: Row<L>): void {
    this.host.enter(row, { kind: 'queued' });
    this.host.effect({ kind: 'timer', row });
    this.#queued.add(row);
  }

  /** Connects as many of those that wait as there are places. */
  fillPlaces(now: number): void {
    for (const row of this.#queued) {
      if (this.#places <= 0) return;
      this.host.enter(row, { kind: 'connecting', since: now });
      this.host.effect({ kind: 'timer', row, ms: this.options.connectTimeoutMs });
      this.host.effect({ kind: 'connect', row });
    }
  }

  /** An attempt to connect has failed: its connection is given up, and another is made after a back-off. */
  attemptFailed(row: Row<L>, cause: Error, now: number): void {
    this.host.effect({ kind: 'discard', row });
    this.#fail(row, cause, now);
  }

  /** An attempt to connect has taken too long. */
  timedOut(row: Row<L>, now: number): void {
    const within = `did not become READY within ${this.options.connectTimeoutMs} ms`;
    this.attemptFailed(row, new BalancerError('CONNECT_FAILED', `${row.endpoint.address} ${within}`), now);
  }

  /** The connection of a READY row is gone: it is made again at once, unless it did not hold. */
  lost(row: Row<L>, readyForMs: number, now: number): void {
    if (readyForMs < FLAP_MS) {
      const lasted = `connection lost ${Math.round(readyForMs)} ms after it was made`;
      this.#fail(row, new BalancerError('CONNECT_FAILED', `${row.endpoint.address}: ${lasted}`), now);
    } else {
      row.failures = 0;
      this.enqueue(row);
    }
  }

  /** The row's server has just spoken, by announcing itself: there is no reason to wait for long. */
  hurry(row: Row<L>, now: number): void {
    if (row.state.kind === 'failed') {
      this.enqueue(row);
    } else if (row.state.kind === 'connecting' && now - row.state.since >= RESTART_CONNECTING_MS) {
      this.host.effect({ kind: 'discard', row });
      this.enqueue(row);
    }
  }

  #fail(row: Row<L>, cause: Error, now: number): void {
    const { baseMs, maxMs } = this.options.reconnect;
    const wait = Math.min(maxMs, baseMs * BACKOFF_MULTIPLIER ** Math.min(row.failures, 60));
    const jitter = 1 - BACKOFF_JITTER + (2 * BACKOFF_JITTER * this.random(1_001)) / 1_000;
    const ms = wait * jitter;
    row.failures++;
    this.host.enter(row, { kind: 'failed', cause, retryAt: now + ms });
    this.host.effect({ kind: 'timer', row, ms });
  }
}
