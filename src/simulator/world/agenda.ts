import FlatQueue from 'flatqueue';
import type { Clock } from '../../base/clock.js';

/** What can be put down for an attempt, or for a call. */
export const EventKind = {
  /** An attempt comes to its server. */
  arrives: 0,
  /** Its server has done its work. */
  done: 1,
  /** Its answer comes to its client. */
  answers: 2,
  /** A call has waited long enough for its first attempt to make a second one. */
  hedge: 3,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];
const KIND_BITS = 2;

interface Timer {
  run: (() => void) | undefined;
}

/** The timers of one moment, in the order in which they were set. */
interface Moment {
  readonly timers: Timer[];
  next: number;
}

/**
 * Virtual time, and what is to happen in it: a {@link Clock} for the classes of production, and a queue of numbered
 * events for the calls. It stands still until {@link advance} moves it to the next thing that is due.
 *
 * flatqueue, a binary heap, keeps numbers in flat arrays, so an event allocates nothing. Events of the same moment come in an
 * order that depends on the past alone, so that runs can be repeated, but on nothing that means anything. Timers, which are
 * few, have a queue of their own: most are taken back, and would stay among the events until their time. Those of the same
 * moment run in the order in which they were set.
 */
export class Agenda implements Clock {
  #now = 0;
  readonly #events = new FlatQueue<number>();
  readonly #moments = new FlatQueue<Moment>();
  readonly #momentAt = new Map<number, Moment>();

  now(): number {
    return this.#now;
  }

  epochNow(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const at = this.#now + Math.max(0, ms);
    let moment = this.#momentAt.get(at);
    if (moment === undefined) {
      moment = { timers: [], next: 0 };
      this.#momentAt.set(at, moment);
      this.#moments.push(moment, at);
    }
    const timer: Timer = { run };
    moment.timers.push(timer);
    return () => {
      timer.run = undefined;
    };
  }

  /** Puts an event down for a time that is not in the past. */
  at(time: number, kind: EventKind, index: number): void {
    this.#events.push((index << KIND_BITS) | kind, time);
  }

  /** When the next event is due; `Infinity` without one. */
  get nextEventAt(): number {
    return this.#events.peekValue() ?? Number.POSITIVE_INFINITY;
  }

  /** When the next timer is due; `Infinity` without one. */
  get nextTimerAt(): number {
    return this.#moments.peekValue() ?? Number.POSITIVE_INFINITY;
  }

  /** Moves time on. */
  advance(to: number): void {
    this.#now = to;
  }

  /** Takes out the event that is due next: see {@link kindOf} and {@link indexOf}. */
  takeEvent(): number {
    return this.#events.pop()!;
  }

  /** Runs the timers that are due next, those too that they set for the same moment. */
  runTimers(): void {
    const at = this.nextTimerAt;
    const moment = this.#moments.pop()!;
    while (moment.next < moment.timers.length) moment.timers[moment.next++]!.run?.();
    this.#momentAt.delete(at);
  }
}

export function kindOf(event: number): EventKind {
  return (event & ((1 << KIND_BITS) - 1)) as EventKind;
}

/** Of the attempt or the call. */
export function indexOf(event: number): number {
  return event >> KIND_BITS;
}
