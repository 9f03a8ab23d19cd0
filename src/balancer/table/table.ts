// Over 300 lines: one state machine, whose transitions are read together. What can be told apart has files of its own:
// who announces an address, how a row comes to be connected, which removals are believed, who may be picked.
import type { Endpoint } from '../../base/endpoint.js';
import type { Random } from '../../base/random.js';
import { Announcements, type AnnouncementsHost } from './announcements.js';
import { Connecting } from './connecting.js';
import { ReadySet } from './ready-set.js';
import { Removals } from './removals.js';
import { type ConnectivityEvent, type Effect, Row } from './row.js';
import type { SubchannelState } from './state.js';
import { Subset } from './subset.js';
import type { TableOptions } from './table-options.js';

/**
 * The subchannel table: what is announced, how each address is connected, and which rows may be picked. A state
 * machine without I/O: every method takes the time, changes rows, and returns what is to be done about it.
 *
 * Events carry the row, not the address, so one that comes late finds a row that is closed, and changes nothing.
 */
export class Table<L = unknown> {
  /** Calls picked and not finished, over all rows, draining ones too. */
  pending = 0;

  readonly #announcements: Announcements<L>;
  readonly #removals: Removals<L>;
  readonly #connecting: Connecting<L>;
  /** Rows that joined the subset or left it, until their states follow. */
  readonly #moved = new Map<Row<L>, boolean>();
  readonly #ready = new ReadySet<L>();
  readonly #freeSlots: number[] = [];
  readonly #subset: Subset<L> | undefined;
  #slots = 0;
  #effects: Effect<L>[] = [];

  constructor(
    private readonly options: TableOptions,
    random: Random,
  ) {
    const { guard, subset } = options;
    this.#announcements = new Announcements<L>(this.#announcementsHost());
    this.#connecting = new Connecting<L>(options, random, {
      enter: (row, state) => this.#enter(row, state),
      effect: (effect) => this.#effects.push(effect),
    });
    this.#removals = new Removals<L>(guard, options.drainTimeoutMs);
    this.#subset = subset && new Subset<L>(subset, (row, member) => this.#moved.set(row, member));
  }

  /** The rows that may be picked, dense, in no order. */
  get ready(): readonly Row<L>[] {
    return this.#ready.rows;
  }

  /** How many of `ready` are below their limit. */
  get available(): number {
    return this.#ready.available;
  }

  /** How many addresses are announced, or unconfirmed. */
  get size(): number {
    return this.#announcements.size;
  }

  /** Rows announced or unconfirmed. */
  announced(): IterableIterator<Row<L>> {
    return this.#announcements.rows();
  }

  /** Every row: those of {@link announced}, then those draining. */
  *rows(): IterableIterator<Row<L>> {
    yield* this.#announcements.rows();
    yield* this.#removals.draining;
  }

  /** The whole truth from the registry: whatever is not in it is gone, and what is equal by value stays as it is. */
  applySnapshot(endpoints: readonly Endpoint[], now: number): Effect<L>[] {
    this.#announcements.replace(endpoints);
    return this.#settle(now);
  }

  /** What has changed. A repeated put of a row that is not READY reconnects it now: its server has just spoken. */
  applyChanges(put: readonly Endpoint[], removed: readonly string[], now: number): Effect<L>[] {
    for (const id of removed) this.#announcements.remove(id);
    for (const endpoint of put) {
      const known = this.#announcements.at(endpoint.address);
      this.#announcements.put(endpoint);
      if (known !== undefined) this.#connecting.hurry(known, now);
    }
    return this.#settle(now);
  }

  /** News from the connection of a row. */
  connectivityChanged(row: Row<L>, event: ConnectivityEvent, now: number): Effect<L>[] {
    const { state } = row;
    switch (event.kind) {
      case 'ready':
        if (state.kind === 'connecting') {
          row.serving = this.options.healthChecked !== true;
          row.ejected = false;
          this.#enter(row, { kind: 'ready', since: now });
          this.#effects.push({ kind: 'timer', row });
          this.#subset?.setFailed(row, false);
        }
        break;
      case 'lost':
        if (state.kind === 'ready') {
          if (row.unconfirmed) this.#drop(row, false, now);
          else this.#connecting.lost(row, now - state.since, now);
        } else if (state.kind === 'draining') {
          if (row.pending === 0) this.#close(row);
          else row.state = { ...state, connected: false };
        }
        break;
      case 'failed':
        if (state.kind === 'connecting') this.#connecting.attemptFailed(row, event.cause, now);
        break;
      case 'broken':
        if (state.kind !== 'ready') break;
        if (row.unconfirmed) this.#drop(row, false, now);
        else this.#connecting.attemptFailed(row, event.cause, now);
        break;
    }
    return this.#flush(now);
  }

  /** The row's timer has run out. */
  timerFired(row: Row<L>, now: number): Effect<L>[] {
    const { state } = row;
    switch (state.kind) {
      case 'connecting':
        this.#connecting.timedOut(row, now);
        break;
      case 'failed':
        this.#connecting.enqueue(row);
        break;
      case 'ready':
        // Only an unconfirmed row has a timer while READY: its time of grace is over.
        this.#drop(row, false, now);
        break;
      case 'draining':
        this.#drained(row, now);
        break;
    }
    return this.#flush(now);
  }

  /** Takes a row out because it fails, or lets it back. */
  setEjected(row: Row<L>, ejected: boolean, now: number): Effect<L>[] {
    if (row.ejected !== ejected) {
      row.ejected = ejected;
      this.#ready.update(row);
    }
    return this.#flush(now);
  }

  /** What the health service of a row says. One that is unconfirmed and does not serve is gone. */
  setServing(row: Row<L>, serving: boolean, now: number): Effect<L>[] {
    if (row.serving !== serving) {
      row.serving = serving;
      if (!serving && row.unconfirmed) this.#drop(row, false, now);
      else this.#ready.update(row);
    }
    return this.#flush(now);
  }

  /** A call has been picked for the row. Has no effects, and must cost next to nothing. */
  started(row: Row<L>): void {
    row.pending++;
    row.picked++;
    this.pending++;
    if (row.pending === row.limit && row.position >= 0) this.#ready.available--;
  }

  /** A call of the row is over. */
  finished(row: Row<L>, now: number): Effect<L>[] | undefined {
    if (row.pending === row.limit && row.position >= 0) this.#ready.available++;
    row.pending--;
    this.pending--;
    if (row.pending > 0) return undefined;
    if (row.state.kind === 'draining') {
      this.#drained(row, now);
      return this.#flush(now);
    }
    if (row.state.kind === 'closed') this.#freeSlots.push(row.slot);
    return undefined;
  }

  /** Removes every row, and believes it. */
  close(now: number): Effect<L>[] {
    // Nothing comes back: a row whose calls are still running closes with the last of them.
    this.#removals.believe();
    this.#announcements.forgetIds();
    for (const row of [...this.#announcements.rows()]) this.#drop(row, false, now);
    for (const row of [...this.#removals.draining]) if (row.pending === 0) this.#close(row);
    return this.#flush(now);
  }

  /** The server of the row lets so many calls be open at a time from now on. */
  limitStreams(row: Row<L>, limit: number): void {
    row.streams = limit;
    this.#limit(row);
  }

  #limit(row: Row<L>): void {
    this.#ready.limit(row, Math.min(this.options.maxPending(row.endpoint), row.streams));
  }

  #announcementsHost(): AnnouncementsHost<L> {
    return {
      make: (endpoint) => this.#make(endpoint),
      announcedAgain: (row) => {
        if (!row.unconfirmed) return;
        row.unconfirmed = false;
        const { endpoint } = row;
        this.#effects.push({ kind: 'timer', row }, { kind: 'put', endpoint, previous: endpoint });
      },
      changed: (row, endpoint) => {
        const previous = row.endpoint;
        this.#ready.changing(row);
        row.endpoint = endpoint;
        this.#limit(row);
        this.#effects.push({ kind: 'put', endpoint, previous });
        this.#ready.weigh(Number(endpoint.weight > 0) - Number(previous.weight > 0));
        this.#ready.update(row);
      },
    };
  }

  #make(endpoint: Endpoint): Row<L> {
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    const row = new Row<L>(endpoint, slot, this.options.maxPending(endpoint));
    this.#ready.weigh(endpoint.weight > 0 ? 1 : 0);
    this.#effects.push({ kind: 'put', endpoint });
    if (this.#subset === undefined) this.#connecting.enqueue(row);
    else this.#subset.add(row);
    return row;
  }

  /** The end of a batch of news: what was announced by nobody at its end is removed, or doubted. */
  #settle(now: number): Effect<L>[] {
    const doubted = this.#removals.tooMany(this.#announcements.count, now);
    for (const row of this.#announcements.takeOrphans()) {
      if (doubted && row.state.kind === 'ready') this.#doubt(row);
      else this.#drop(row, true, now);
    }
    if (doubted) for (const row of [...this.#removals.draining]) this.#restore(row, now);
    return this.#flush(now);
  }

  #doubt(row: Row<L>): void {
    row.unconfirmed = true;
    this.#effects.push(
      { kind: 'timer', row, ms: this.#removals.graceMs },
      { kind: 'unconfirmed', endpoint: row.endpoint },
    );
  }

  /** Brings a row back that was removed within the guard's window, when its connection still holds. */
  #restore(row: Row<L>, now: number): void {
    const { endpoint } = row;
    if (!this.#removals.canRestore(row, now) || this.#announcements.at(endpoint.address) !== undefined)
      return;
    this.#removals.draining.delete(row);
    this.#announcements.restore(row);
    this.#effects.push({ kind: 'put', endpoint });
    this.#ready.weigh(endpoint.weight > 0 ? 1 : 0);
    // Whoever ejects is told of a connection that is new to him.
    row.ejected = false;
    this.#enter(row, { kind: 'ready', since: now });
    this.#doubt(row);
    this.#subset?.add(row);
  }

  /** `keep`: its connection is kept for a while, if the guard is on. */
  #drop(row: Row<L>, keep: boolean, now: number): void {
    const { endpoint } = row;
    this.#announcements.drop(row);
    this.#effects.push({ kind: 'gone', endpoint });
    row.unconfirmed = false;
    this.#subset?.delete(row);
    this.#moved.delete(row);
    const connected = keep && row.state.kind === 'ready';
    const ms = this.#removals.drain(row, connected, now);
    if (ms === undefined) {
      this.#close(row);
    } else {
      this.#enter(row, { kind: 'draining', since: now, connected });
      this.#effects.push({ kind: 'timer', row, ms });
    }
    this.#ready.weigh(endpoint.weight > 0 ? -1 : 0);
  }

  /** A draining row has had its time, or the last of its calls. */
  #drained(row: Row<L>, now: number): void {
    const leftMs = this.#removals.leftMs(row, now);
    if (leftMs > 0) {
      this.#effects.push({ kind: 'timer', row, ms: leftMs });
      return;
    }
    if (row.pending > 0) this.#effects.push({ kind: 'cut', row });
    this.#close(row);
  }

  #close(row: Row<L>): void {
    this.#removals.draining.delete(row);
    this.#enter(row, { kind: 'closed' });
    this.#effects.push({ kind: 'timer', row }, { kind: 'discard', row });
    // With calls pending the slot stays taken until the last of them is finished: its meter is still theirs.
    if (row.pending === 0) this.#freeSlots.push(row.slot);
  }

  #enter(row: Row<L>, state: SubchannelState): void {
    const from = row.state.kind;
    this.#connecting.changing(row, state);
    row.state = state;
    if (state.kind === 'failed') this.#subset?.setFailed(row, true);
    this.#effects.push({ kind: 'state', row, from, state });
    this.#ready.update(row);
  }

  /** Lets rows follow the subset, starts as many queued ones as there are places, and hands out the effects. */
  #flush(now: number): Effect<L>[] {
    for (const [row, member] of this.#moved) {
      const idle = row.state.kind === 'idle';
      if (member && idle) this.#connecting.enqueue(row);
      else if (!member && row.unconfirmed) this.#drop(row, false, now);
      else if (!member && !idle) {
        row.failures = 0;
        this.#enter(row, { kind: 'idle' });
        this.#effects.push({ kind: 'timer', row }, { kind: 'discard', row });
      }
    }
    this.#moved.clear();
    this.#connecting.fillPlaces(now);
    for (const effect of this.#ready.news()) this.#effects.push(effect);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
