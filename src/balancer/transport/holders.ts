import { LinkedList } from '../../base/linked-list.js';
import type { Holder } from './transport.js';

/** Who holds a connection, for any transport: unary calls by their age, all others beside them. */
export class Holders {
  readonly #unary = new LinkedList<Holder>();
  readonly #others = new LinkedList<Holder>();
  #byHand = 0;
  #inBackground = 0;

  add(holder: Holder): void {
    (holder.unary ? this.#unary : this.#others).push(holder);
    if (holder.byHand) this.#byHand++;
    if (holder.background) this.#inBackground++;
  }

  delete(holder: Holder): void {
    (holder.unary ? this.#unary : this.#others).delete(holder);
    if (holder.byHand) this.#byHand--;
    if (holder.background) this.#inBackground--;
  }

  get size(): number {
    return this.#unary.size + this.#others.size;
  }

  /** How many of them are picks by hand. */
  get byHand(): number {
    return this.#byHand;
  }

  /** How many of them keep no process alive. */
  get inBackground(): number {
    return this.#inBackground;
  }

  /** Whether there is any that somebody waits for. */
  get waitedFor(): boolean {
    return this.size > this.#inBackground;
  }

  /** The unary calls, oldest first. */
  *unary(): IterableIterator<Holder> {
    for (let holder = this.#unary.first; holder !== undefined; holder = holder.after as Holder | undefined) {
      yield holder;
    }
  }

  cut(details: string): void {
    for (const holders of [this.#unary, this.#others]) {
      for (let holder = holders.first; holder !== undefined; ) {
        // `cut` may release the holder, and with it its links.
        const next = holder.after as Holder | undefined;
        holder.cut(details);
        holder = next;
      }
    }
  }
}
