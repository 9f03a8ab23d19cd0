import type { UnansweredCall } from '../../balancer/core/outlier-detector.js';
import { NONE, SlotLists } from '../../base/slot-lists.js';
import type { Attempt, Store } from './calls.js';
import type { SimulatedSubchannel } from './client.js';

/** The attempts on each subchannel that are not answered, oldest first, where somebody looks for hung servers. */
export class OpenAttempts {
  readonly #lists = new SlotLists();

  constructor(private readonly attempts: Store<Attempt>) {}

  add(subchannel: SimulatedSubchannel, { index }: Attempt): void {
    subchannel.firstOpen = this.#lists.append(subchannel.firstOpen, index);
  }

  delete(subchannel: SimulatedSubchannel, { index }: Attempt): void {
    subchannel.firstOpen = this.#lists.remove(subchannel.firstOpen, index);
  }

  *on(subchannel: SimulatedSubchannel | undefined): IterableIterator<UnansweredCall> {
    const first = subchannel?.firstOpen ?? NONE;
    if (first === NONE) return;
    let next = first;
    do {
      yield this.attempts.at(next);
      next = this.#lists.next(next);
    } while (next !== first);
  }
}
