import type { Endpoint } from '../endpoint.js';
import { sameEndpoint } from '../endpoint.js';
import { BalancerError } from '../errors.js';
import type { Random } from '../random.js';
import type { Candidate } from './picker.js';
import type { SubchannelState } from './snapshot.js';

/** How the table connects, and lets go. */
export interface TableOptions {
  /** Most subchannels that connect at the same time. */
  readonly maxConnecting: number;
  /** How long a subchannel may be connecting, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long the calls of a removed endpoint may go on, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** The waits between attempts to connect: `baseMs x 1.6^n`, +- 20 %, at most `maxMs`. */
  readonly reconnect: { readonly baseMs: number; readonly maxMs: number };
  /** Most pending calls on an endpoint; `Infinity` for no limit. */
  readonly maxPending: (endpoint: Endpoint) => number;
}

/** gRPC connection back-off (grpc/grpc doc/connection-backoff.md): multiplier and jitter. */
const BACKOFF_MULTIPLIER = 1.6;
const BACKOFF_JITTER = 0.2;
/** A connection lost within this time of becoming READY counts as a failure, or a flapping server would spin us. */
const FLAP_MS = 1_000;
/** A repeated put gives up an attempt to connect that is older than this, and starts another. */
const RESTART_CONNECTING_MS = 1_000;

/**
 * A row of the table: one address, its subchannel's state, and what a picker sees of it.
 * Only the table writes to it. `link` is the shell's, whatever it hangs on a row.
 */
export class Row<L = unknown> implements Candidate {
  state: SubchannelState = { kind: 'queued' };
  pending = 0;
  picked = 0;
  limit: number;
  /** Where it stands in the READY array; -1 when it does not. */
  position = -1;
  /** Attempts to connect that failed since it was last READY for a while. */
  failures = 0;
  link: L | undefined = undefined;
  /** Who announces the address, by id. Empty once it is removed. */
  readonly ids = new Map<string, Endpoint>();

  constructor(
    public endpoint: Endpoint,
    readonly slot: number,
    limit: number,
  ) {
    this.limit = limit;
  }

  get full(): boolean {
    return this.pending >= this.limit;
  }
}

/** What the shell has to do, in this order. */
export type Effect<L> =
  /** Connect the row: anew, or by waking the connection that it has. */
  | { readonly kind: 'connect'; readonly row: Row<L> }
  /** Give up the row's connection: its open calls may finish, and it makes no more. */
  | { readonly kind: 'discard'; readonly row: Row<L> }
  /** Fail whatever calls are still open on the row, which has drained for long enough. */
  | { readonly kind: 'cancel'; readonly row: Row<L> }
  /** Call {@link Table.timeout} with the row in `ms`, instead of what was asked before; never, without `ms`. */
  | { readonly kind: 'timer'; readonly row: Row<L>; readonly ms?: number }
  /** The READY set has changed: tell the picker. */
  | { readonly kind: 'added'; readonly row: Row<L> }
  | { readonly kind: 'removed'; readonly row: Row<L> }
  | { readonly kind: 'updated'; readonly row: Row<L>; readonly previous: Endpoint }
  /** For those who watch. */
  | { readonly kind: 'put'; readonly endpoint: Endpoint }
  | { readonly kind: 'gone'; readonly endpoint: Endpoint }
  | {
      readonly kind: 'state';
      readonly row: Row<L>;
      readonly from: SubchannelState['kind'];
      readonly state: SubchannelState;
    };

/** What a connection tells of itself. */
export type ConnectivityEvent =
  | { readonly kind: 'ready' }
  /** It was READY and is not any more: dropped, or told to go away. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly cause: Error };

/**
 * The subchannel table: what is announced, how each address is connected, and which rows may be picked. A state
 * machine without I/O: every method takes the time, changes rows, and returns what the shell must do about it.
 *
 * Rows are keyed by address and remember which ids announce it; the smallest id's attributes hold. Events carry the
 * row, not the address, so one that comes late finds a row that is closed, and changes nothing.
 */
export class Table<L = unknown> {
  /** The rows that may be picked, dense. Order means nothing, and changes. */
  readonly ready: Row<L>[] = [];
  /** How many of `ready` are below their limit. */
  available = 0;
  /** Calls picked and not finished, over all rows, draining ones too. */
  pending = 0;

  readonly #rows = new Map<string, Row<L>>();
  readonly #byId = new Map<string, Row<L>>();
  readonly #draining = new Set<Row<L>>();
  /** Rows that wait for a place to connect, in order. */
  readonly #queued = new Set<Row<L>>();
  /** READY rows of weight 0, kept back while any announced weight is above 0. */
  readonly #standby = new Set<Row<L>>();
  readonly #freeSlots: number[] = [];
  #slots = 0;
  #connecting = 0;
  /** Announced rows whose weight is above 0. */
  #weighted = 0;
  #effects: Effect<L>[] = [];

  constructor(
    private readonly options: TableOptions,
    private readonly random: Random,
  ) {}

  /** How many addresses are announced. */
  get size(): number {
    return this.#rows.size;
  }

  /** Every row: those announced, then those draining. */
  *rows(): IterableIterator<Row<L>> {
    yield* this.#rows.values();
    yield* this.#draining;
  }

  /** The whole truth from the registry: whatever is not in it is gone, and what is equal by value stays as it is. */
  snapshot(endpoints: readonly Endpoint[], now: number): Effect<L>[] {
    const told = new Set<string>();
    for (const { id } of endpoints) told.add(id);
    for (const id of [...this.#byId.keys()]) if (!told.has(id)) this.#remove(id, now);
    for (const endpoint of endpoints) {
      const known = this.#byId.get(endpoint.id)?.ids.get(endpoint.id);
      if (known === undefined || !sameEndpoint(known, endpoint)) this.#put(endpoint, now);
    }
    return this.#flush(now);
  }

  /** What has changed. A repeated put of a row that is not READY reconnects it now: its server has just spoken. */
  changes(put: readonly Endpoint[], removed: readonly string[], now: number): Effect<L>[] {
    for (const id of removed) this.#remove(id, now);
    for (const endpoint of put) {
      const repeated = this.#byId.get(endpoint.id)?.endpoint.address === endpoint.address;
      this.#put(endpoint, now);
      if (repeated) this.#hurry(this.#byId.get(endpoint.id)!, now);
    }
    return this.#flush(now);
  }

  /** News from the connection of a row. */
  connectivity(row: Row<L>, event: ConnectivityEvent, now: number): Effect<L>[] {
    const { state } = row;
    switch (event.kind) {
      case 'ready':
        if (state.kind === 'connecting') {
          this.#enter(row, { kind: 'ready', since: now });
          this.#effects.push({ kind: 'timer', row });
        }
        break;
      case 'lost':
        if (state.kind === 'ready') {
          if (now - state.since < FLAP_MS) {
            const lasted = `connection lost ${Math.round(now - state.since)} ms after it was made`;
            this.#fail(row, new BalancerError('CONNECT_FAILED', `${row.endpoint.address}: ${lasted}`), now);
          } else {
            row.failures = 0;
            this.#enqueue(row);
          }
        }
        break;
      case 'failed':
        if (state.kind === 'connecting') {
          this.#effects.push({ kind: 'discard', row });
          this.#fail(row, event.cause, now);
        }
        break;
    }
    return this.#flush(now);
  }

  /** The row's timer has run out: connecting for too long, time to try again, or drained for long enough. */
  timeout(row: Row<L>, now: number): Effect<L>[] {
    switch (row.state.kind) {
      case 'connecting': {
        const cause = new BalancerError(
          'CONNECT_FAILED',
          `${row.endpoint.address} did not become READY within ${this.options.connectTimeoutMs} ms`,
        );
        this.#effects.push({ kind: 'discard', row });
        this.#fail(row, cause, now);
        break;
      }
      case 'failed':
        this.#enqueue(row);
        break;
      case 'draining':
        this.#effects.push({ kind: 'cancel', row });
        this.#close(row);
        break;
    }
    return this.#flush(now);
  }

  /** A call has been picked for the row. Has no effects, and must cost next to nothing. */
  started(row: Row<L>): void {
    row.pending++;
    row.picked++;
    this.pending++;
    if (row.pending === row.limit && row.position >= 0) this.available--;
  }

  /** A call of the row is over. */
  finished(row: Row<L>, now: number): Effect<L>[] | undefined {
    if (row.pending === row.limit && row.position >= 0) this.available++;
    row.pending--;
    this.pending--;
    if (row.pending > 0) return undefined;
    if (row.state.kind === 'draining') {
      this.#close(row);
      return this.#flush(now);
    }
    if (row.state.kind === 'closed') this.#freeSlots.push(row.slot);
    return undefined;
  }

  /** Removes every row. */
  close(now: number): Effect<L>[] {
    for (const id of [...this.#byId.keys()]) this.#remove(id, now);
    return this.#flush(now);
  }

  #put(endpoint: Endpoint, now: number): void {
    let row = this.#byId.get(endpoint.id);
    if (row !== undefined && row.endpoint.address !== endpoint.address) {
      this.#remove(endpoint.id, now);
      row = undefined;
    }
    row ??= this.#rows.get(endpoint.address);
    if (row === undefined) {
      row = this.#make(endpoint);
    } else {
      row.ids.set(endpoint.id, endpoint);
      this.#byId.set(endpoint.id, row);
      this.#reconcile(row);
    }
  }

  #make(endpoint: Endpoint): Row<L> {
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    const row = new Row<L>(endpoint, slot, this.options.maxPending(endpoint));
    row.ids.set(endpoint.id, endpoint);
    this.#byId.set(endpoint.id, row);
    this.#rows.set(endpoint.address, row);
    this.#weigh(endpoint.weight > 0 ? 1 : 0);
    this.#queued.add(row);
    this.#effects.push({ kind: 'put', endpoint });
    return row;
  }

  /** The attributes of a row are those of its smallest id. */
  #reconcile(row: Row<L>): void {
    let smallest: Endpoint | undefined;
    for (const endpoint of row.ids.values()) {
      if (smallest === undefined || endpoint.id < smallest.id) smallest = endpoint;
    }
    const previous = row.endpoint;
    if (smallest === undefined || sameEndpoint(smallest, previous)) return;
    row.endpoint = smallest;
    const exposed = row.position >= 0;
    if (exposed && !row.full) this.available--;
    row.limit = this.options.maxPending(smallest);
    if (exposed && !row.full) this.available++;
    this.#effects.push({ kind: 'put', endpoint: smallest });
    this.#weigh(Number(smallest.weight > 0) - Number(previous.weight > 0));
    this.#expose(row);
    if (exposed && row.position >= 0) this.#effects.push({ kind: 'updated', row, previous });
  }

  #remove(id: string, now: number): void {
    const row = this.#byId.get(id);
    if (row === undefined) return;
    this.#byId.delete(id);
    row.ids.delete(id);
    if (row.ids.size > 0) {
      this.#reconcile(row);
      return;
    }
    this.#rows.delete(row.endpoint.address);
    this.#effects.push({ kind: 'gone', endpoint: row.endpoint });
    if (row.pending === 0) {
      this.#close(row);
    } else {
      this.#enter(row, { kind: 'draining', since: now });
      this.#effects.push({ kind: 'timer', row, ms: this.options.drainTimeoutMs });
      this.#draining.add(row);
    }
    this.#weigh(row.endpoint.weight > 0 ? -1 : 0);
  }

  #close(row: Row<L>): void {
    this.#draining.delete(row);
    this.#enter(row, { kind: 'closed' });
    this.#effects.push({ kind: 'timer', row }, { kind: 'discard', row });
    // With calls pending the slot stays taken until the last of them is finished: its meter is still theirs.
    if (row.pending === 0) this.#freeSlots.push(row.slot);
  }

  #hurry(row: Row<L>, now: number): void {
    if (row.state.kind === 'failed') {
      this.#enqueue(row);
    } else if (row.state.kind === 'connecting' && now - row.state.since >= RESTART_CONNECTING_MS) {
      this.#effects.push({ kind: 'discard', row });
      this.#enqueue(row);
    }
  }

  #enqueue(row: Row<L>): void {
    this.#enter(row, { kind: 'queued' });
    this.#effects.push({ kind: 'timer', row });
    this.#queued.add(row);
  }

  #fail(row: Row<L>, cause: Error, now: number): void {
    const { baseMs, maxMs } = this.options.reconnect;
    const wait = Math.min(maxMs, baseMs * BACKOFF_MULTIPLIER ** Math.min(row.failures, 60));
    const jitter = 1 - BACKOFF_JITTER + (2 * BACKOFF_JITTER * this.random(1_001)) / 1_000;
    row.failures++;
    this.#enter(row, { kind: 'failed', cause, retryAt: now + wait * jitter });
    this.#effects.push({ kind: 'timer', row, ms: wait * jitter });
  }

  #enter(row: Row<L>, state: SubchannelState): void {
    const from = row.state.kind;
    if (from === 'connecting') this.#connecting--;
    else if (from === 'queued') this.#queued.delete(row);
    row.state = state;
    if (state.kind === 'connecting') this.#connecting++;
    this.#effects.push({ kind: 'state', row, from, state });
    this.#expose(row);
  }

  /** Counts a change in the announced rows above weight 0; the first and the last of them move those of weight 0. */
  #weigh(change: number): void {
    const before = this.#weighted;
    this.#weighted += change;
    if ((before === 0) === (this.#weighted === 0)) return;
    const moved =
      this.#weighted === 0 ? [...this.#standby] : this.ready.filter((row) => row.endpoint.weight === 0);
    for (const row of moved) this.#expose(row);
  }

  /** Puts the row into the READY array, or takes it out, as its state and weight have it. */
  #expose(row: Row<L>): void {
    const connected = row.state.kind === 'ready';
    const exposed = connected && (row.endpoint.weight > 0 || this.#weighted === 0);
    if (connected && !exposed) this.#standby.add(row);
    else this.#standby.delete(row);
    if (exposed === row.position >= 0) return;
    if (exposed) {
      row.position = this.ready.length;
      this.ready.push(row);
      if (!row.full) this.available++;
      this.#effects.push({ kind: 'added', row });
    } else {
      const last = this.ready.pop()!;
      if (last !== row) {
        this.ready[row.position] = last;
        last.position = row.position;
      }
      row.position = -1;
      if (!row.full) this.available--;
      this.#effects.push({ kind: 'removed', row });
    }
  }

  /** Starts as many of the queued rows as there are places to connect, and hands out the effects. */
  #flush(now: number): Effect<L>[] {
    for (const row of this.#queued) {
      if (this.#connecting >= this.options.maxConnecting) break;
      this.#enter(row, { kind: 'connecting', since: now });
      this.#effects.push({ kind: 'timer', row, ms: this.options.connectTimeoutMs }, { kind: 'connect', row });
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
