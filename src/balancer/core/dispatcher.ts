import type { Endpoint } from '../../base/endpoint.js';
import { asBalancerError, asError, BalancerError } from '../../base/errors.js';
import type { Outcome, PickContext, Picker } from '../pickers/picker.js';
import { Row } from '../table/row.js';
import type { Table } from '../table/table.js';
import type { Waiter, WaitQueue } from './wait-queue.js';

/** A call that wants a row: what the picker may know of it, and how it is told. */
export interface Request<L = unknown> extends Waiter, PickContext {
  /** Written by the dispatcher before each pick. */
  now: number;
  /** When the call was made, in monotonic milliseconds. Read of calls that wait. */
  readonly enteredAt: number;
  /** When the call must be over, in monotonic milliseconds; `Infinity` for never. Read of calls that wait. */
  readonly expiresAt: number;
  /** It has been taken out of the queue and counted on the row. Called synchronously: must not throw. */
  granted(row: Row<L>): void;
  /** It has been taken out of the queue: the picker failed, or the pool was closed. */
  refused(error: BalancerError): void;
}

/** What the dispatcher tells its shell. */
export interface DispatcherOptions<L> {
  /** A row that is to get this call past the picker: one that is to show whether it is well again. */
  readonly probe?: (request: Request<L>, now: number) => Row<L> | undefined;
  /** Whether a call that has waited has too little time left to be answered: it fails instead of being sent to die. */
  readonly hopeless?: (request: Request<L>, now: number) => boolean;
  /** A row has been picked. */
  readonly onPicked?: (now: number) => void;
  /** A hook of the picker threw. The pool goes on; what the picker knows may be wrong. */
  readonly onPickerError: (picker: string, error: Error) => void;
}

/**
 * Brings calls and rows together: asks the picker, counts, and lets calls wait when there is nothing to pick.
 * Pure: takes the time, starts nothing.
 *
 * A row is counted as pending in the turn in which it is picked, and every row handed out comes back once, through
 * {@link finish}.
 */
export class Dispatcher<L = unknown> {
  #picker: Picker;
  #offering = false;
  #offerAgain = false;

  constructor(
    readonly table: Table<L>,
    readonly queue: WaitQueue<Request<L>>,
    picker: Picker,
    private readonly options: DispatcherOptions<L>,
  ) {
    this.#picker = picker;
  }

  get picker(): Picker {
    return this.#picker;
  }

  /**
   * A row for the call, counted; undefined when there is none with room, or when others of its group wait: a newcomer
   * never overtakes.
   *
   * @throws {@link BalancerError} PICKER_FAILED when the picker throws, or chooses what it must not.
   */
  tryPick(request: Request<L>, now: number): Row<L> | undefined {
    if (this.queue.head(request.group) !== undefined) return undefined;
    return this.#pick(request, now);
  }

  /** Whether {@link tryPick} would give a row. Counts nothing. */
  couldPick(request: Request<L>, now: number): boolean {
    return this.queue.head(request.group) === undefined && this.#choose(request, now) !== undefined;
  }

  /**
   * Lets a call wait for which there was nothing to pick.
   *
   * @throws {@link BalancerError} QUEUE_FULL.
   */
  wait(request: Request<L>): void {
    if (!this.queue.add(request)) {
      throw new BalancerError('QUEUE_FULL', `the wait queue is full: ${this.queue.max} calls wait already`);
    }
  }

  /** Counts the end of a call, and gives the room to whoever waits for it. */
  finish(row: Row<L>, now: number, outcome: Outcome): ReturnType<Table<L>['finished']> {
    const effects = this.table.finished(row, now);
    try {
      this.#picker.finished?.(row, now, outcome);
    } catch (thrown) {
      this.#hookFailed(thrown);
    }
    if (this.queue.size > 0) this.offer(now);
    return effects;
  }

  /** The READY set has grown, or room has come some other way: serves those who wait, oldest first. */
  offer(now: number): void {
    // A granted call may end at once and come back here; its room is offered when this round is done.
    if (this.#offering) {
      this.#offerAgain = true;
      return;
    }
    this.#offering = true;
    try {
      do {
        this.#offerAgain = false;
        this.queue.offer((waiter) => this.#serve(waiter, now));
      } while (this.#offerAgain);
    } finally {
      this.#offering = false;
    }
  }

  /** Puts another picker in place. It is told of every READY row, with its pending calls. */
  setPicker(picker: Picker, now: number): void {
    this.#picker = picker;
    for (const { endpoint } of this.table.announced()) this.announced(endpoint, undefined);
    for (const row of this.table.ready) this.added(row);
    this.offer(now);
  }

  announced(now: Endpoint | undefined, before: Endpoint | undefined): void {
    try {
      this.#picker.announced?.(now, before);
    } catch (thrown) {
      this.#hookFailed(thrown);
    }
  }

  added(row: Row<L>): void {
    try {
      this.#picker.added?.(row);
    } catch (thrown) {
      this.#hookFailed(thrown);
    }
  }

  removed(row: Row<L>): void {
    try {
      this.#picker.removed?.(row);
    } catch (thrown) {
      this.#hookFailed(thrown);
    }
  }

  updated(row: Row<L>, previous: Endpoint): void {
    try {
      this.#picker.updated?.(row, previous);
    } catch (thrown) {
      this.#hookFailed(thrown);
    }
  }

  #serve(waiter: Request<L>, now: number): boolean {
    if (this.table.available > 0 && this.options.hopeless?.(waiter, now)) {
      this.queue.delete(waiter);
      waiter.refused(
        new BalancerError('DEADLINE', 'its turn came too late: less time is left than most calls take'),
      );
      return true;
    }
    let row: Row<L> | undefined;
    try {
      row = this.#pick(waiter, now);
    } catch (thrown) {
      this.queue.delete(waiter);
      waiter.refused(asBalancerError(thrown));
      return true;
    }
    if (row === undefined) return false;
    this.queue.delete(waiter);
    waiter.granted(row);
    return true;
  }

  #pick(request: Request<L>, now: number): Row<L> | undefined {
    const { probe, onPicked } = this.options;
    request.now = now;
    const probed = probe?.(request, now);
    const row = probed ?? this.#choose(request, now);
    if (row === undefined) return undefined;
    this.table.started(row);
    onPicked?.(now);
    try {
      // Of a row that it does not know as READY, a picker only hears the end.
      if (probed === undefined) this.#picker.started?.(row, now);
    } catch (thrown) {
      this.#hookFailed(thrown);
    }
    return row;
  }

  #choose(request: Request<L>, now: number): Row<L> | undefined {
    const { table } = this;
    if (table.available === 0) return undefined;
    request.now = now;
    let chosen: unknown;
    try {
      chosen = this.#picker.pick(table.ready, request);
    } catch (thrown) {
      const cause = asError(thrown);
      throw new BalancerError('PICKER_FAILED', `picker ${this.#picker.name} threw: ${cause.message}`, {
        cause,
      });
    }
    if (chosen === undefined) return undefined;
    if (
      !(chosen instanceof Row) ||
      table.ready[chosen.position] !== chosen ||
      chosen.full ||
      request.exclude?.has(chosen)
    ) {
      const what = 'is not a READY candidate with room for this call';
      throw new BalancerError('PICKER_FAILED', `picker ${this.#picker.name} chose what ${what}`);
    }
    return chosen as Row<L>;
  }

  /** A mistake in a picker's hook must cost neither the call nor the process. */
  #hookFailed(thrown: unknown): void {
    this.options.onPickerError(this.#picker.name, asError(thrown));
  }
}
