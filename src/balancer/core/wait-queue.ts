import { type Linked, LinkedList } from '../../base/linked-list.js';

/** A call that waits for a READY subchannel with room. The call is the member itself: waiting allocates nothing. */
export interface Waiter extends Linked {
  /** Its place among all calls, by {@link WaitQueue.arrive}; a call that is picked again keeps the one it had. */
  arrival: number;
  /** In which FIFO it stands. Calls with a hash key share their group's. */
  readonly group?: string | undefined;
}

/**
 * Calls waiting: one FIFO by arrival for each group, all under one bound. Pure: the deadline of a waiter is its
 * owner's, who takes it out.
 */
export class WaitQueue<W extends Waiter> {
  readonly #groups = new Map<string | undefined, LinkedList<W>>();
  #size = 0;
  #arrivals = 0;

  /** @param max - most waiters at a time, over all groups. */
  constructor(readonly max: number) {}

  get size(): number {
    return this.#size;
  }

  /** The next place of arrival. */
  arrive(): number {
    return ++this.#arrivals;
  }

  /** Lets a waiter in, where its arrival belongs. False when the queue is full. */
  add(waiter: W): boolean {
    if (this.#size >= this.max) return false;
    let list = this.#groups.get(waiter.group);
    if (list === undefined) {
      list = new LinkedList<W>();
      this.#groups.set(waiter.group, list);
    }
    let place = list.last;
    if (place !== undefined && place.arrival > waiter.arrival) {
      // It comes back, and is older than nearly all: those before it are few.
      place = undefined;
      for (let next = list.first!; next.arrival < waiter.arrival; next = next.after as W) place = next;
    }
    list.insertAfter(place, waiter);
    this.#size++;
    return true;
  }

  /** Takes out a member, wherever it stands. */
  delete(waiter: W): void {
    const list = this.#groups.get(waiter.group)!;
    list.delete(waiter);
    this.#size--;
    if (list.size === 0) this.#groups.delete(waiter.group);
  }

  /** The oldest waiter of a group. */
  head(group: string | undefined): W | undefined {
    return this.#size === 0 ? undefined : this.#groups.get(group)?.first;
  }

  /** The oldest waiter of all. */
  oldest(): W | undefined {
    let oldest: W | undefined;
    for (const { first } of this.#groups.values()) {
      if (oldest === undefined || first!.arrival < oldest.arrival) oldest = first;
    }
    return oldest;
  }

  /**
   * Offers what room there is to the waiters, oldest first over all groups. `serve` either takes the waiter out of
   * the queue and returns true, or leaves it and returns false, which ends its group's turn.
   */
  offer(serve: (waiter: W) => boolean): void {
    const known = new Set<LinkedList<W>>();
    for (;;) {
      // Groups that come up meanwhile have their turn after those that were there.
      const turns = [...this.#groups.values()].filter((list) => !known.has(list));
      if (turns.length === 0) return;
      for (const list of turns) known.add(list);
      turns.sort((a, b) => a.first!.arrival - b.first!.arrival);
      for (let at = 0; at < turns.length; ) {
        const { first } = turns[at]!;
        if (first === undefined || (!hasToWait(turns, at) && !serve(first))) at++;
      }
    }
  }
}

/** True when the oldest of a group is not the oldest of all any more: the group goes back to where it belongs. */
function hasToWait<W extends Waiter>(turns: LinkedList<W>[], at: number): boolean {
  const list = turns[at]!;
  let to = at;
  for (; to + 1 < turns.length; to++) {
    const next = turns[to + 1]!;
    if (next.first !== undefined && next.first.arrival > list.first!.arrival) break;
    turns[to] = next;
  }
  turns[to] = list;
  return to > at;
}
