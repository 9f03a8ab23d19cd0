import { SlotHeap } from '../../base/slot-heap.js';
import { withRoom } from '../../base/slot-lists.js';
import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from './picker.js';
import { SlowStart, type SlowStartOptions, slowStartOptions } from './slow-start.js';

export interface LeastPendingOptions {
  /** Brings those who join up to their share slowly. Default: off. */
  readonly slowStart?: SlowStartOptions;
}

/**
 * The candidate with the fewest pending calls: the exact minimum, ties broken in turn, at O(1) a pick, start and finish.
 * With slow start, the exact minimum of those that do not sit out.
 *
 * For most services: a server that is slow has calls pending, and gets fewer, without anything being measured. It sees this
 * client's calls only. Where each of many clients has a call or two, all see zeros and take turns; and a server that fails
 * fast has nothing pending, and draws calls until it is ejected (see `peakEwma`).
 *
 * ```ts
 * import { leastPending, type Pool } from 'evenkeel';
 *
 * export function gently(pool: Pool): void {
 *   // A server that joins works up to its share within a minute.
 *   pool.setPicker(leastPending({ slowStart: { windowMs: 60_000 } }));
 * }
 * ```
 *
 * @throws BalancerError INVALID_OPTION
 */
export function leastPending({ slowStart }: LeastPendingOptions = {}): PickerFactory {
  if (slowStart === undefined) return () => new LeastPending();
  const options = slowStartOptions(slowStart);
  return () => new GentleLeastPending(options);
}

// Rings of links, each through a head of its own: there is a node for every slot, and for every level a head, whose ring
// holds those who have as many calls pending as the level says. Nodes and heads lie by turns in one array of numbers, two
// each: the engine needs no write barriers, an empty ring is no case of its own, and a level costs less memory than the
// calls that reach it.
const NEXT = 0;
const PREVIOUS = 1;
const STRIDE = 4;
const nodeOf = (slot: number): number => slot * STRIDE + 2;
const slotOf = (node: number): number => node >> 2;
const headOf = (level: number): number => (level + 1) * STRIDE;
/** Where no node and no head is, and the links of a node that is in no ring. */
const NOWHERE = 0;
const levelOf = (head: number): number => (head >> 2) - 1;
/** More pending calls on one server than this, and no process could hold: they count as so many. */
const HIGHEST_LEVEL = 2 ** 20;

/**
 * Candidates of equal `pending` are in one ring, in the order in which they came to it: a call started or finished moves
 * its candidate to the end of another. The counts are the candidates' own, so calls that another picker started are
 * counted too. A full or excluded candidate is walked past, and keeps its place.
 */
class LeastPending implements Picker {
  readonly name = 'least-pending';
  readonly #candidates: (Candidate | undefined)[] = [];
  #links = withRings(new Int32Array(0), headOf(16));
  /** A bit for each level that somebody may have: set when it is come to, cleared when a pick finds its ring empty. */
  #levels = new Int32Array(1);
  /** No ring below this head has anybody in it. */
  #lowest = headOf(0);
  /** Who was picked last, as long as no call of it has started: the next pick is another's turn. */
  #picked = NOWHERE;

  pick(_ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    if (this.#picked !== NOWHERE) this.#moved(this.#candidates[slotOf(this.#picked)]!);
    // The common case, short enough to be compiled into its caller.
    const node = this.#links[this.#lowest + NEXT]!;
    if (node !== this.#lowest) {
      const candidate = this.#candidates[slotOf(node)]!;
      if (eligible(candidate, call)) {
        this.#picked = node;
        return candidate;
      }
    }
    return this.#leastOf(call);
  }

  #leastOf(call: PickContext): Candidate | undefined {
    const links = this.#links;
    let head = this.#lowest;
    while (head !== NOWHERE && links[head + NEXT] === head) head = this.#above(head);
    if (head === NOWHERE) return undefined;
    this.#lowest = head;
    for (; head !== NOWHERE; head = this.#above(head)) {
      for (let node = links[head + NEXT]!; node !== head; node = links[node + NEXT]!) {
        const candidate = this.#candidates[slotOf(node)]!;
        if (eligible(candidate, call)) {
          this.#picked = node;
          return candidate;
        }
      }
    }
    return undefined;
  }

  added(candidate: Candidate): void {
    const { slot, pending } = candidate;
    this.#candidates[slot] = candidate;
    this.#makeRoom(nodeOf(slot));
    this.#put(nodeOf(slot), pending);
  }

  removed({ slot }: Candidate): void {
    this.#take(nodeOf(slot));
    this.#links[nodeOf(slot) + NEXT] = NOWHERE;
    this.#candidates[slot] = undefined;
  }

  started(candidate: Candidate): void {
    this.#moved(candidate);
  }

  finished(candidate: Candidate): void {
    this.#moved(candidate);
  }

  #moved({ slot, pending }: Candidate): void {
    const node = nodeOf(slot);
    if ((this.#links[node + NEXT] ?? NOWHERE) === NOWHERE) return;
    this.#take(node);
    this.#put(node, pending);
  }

  #take(node: number): void {
    const links = this.#links;
    const next = links[node + NEXT]!;
    const previous = links[node + PREVIOUS]!;
    links[previous + NEXT] = next;
    links[next + PREVIOUS] = previous;
    if (node === this.#picked) this.#picked = NOWHERE;
  }

  #put(node: number, pending: number): void {
    const head = headOf(Math.min(pending, HIGHEST_LEVEL));
    this.#makeRoom(head);
    const links = this.#links;
    const last = links[head + PREVIOUS]!;
    links[last + NEXT] = node;
    links[node + PREVIOUS] = last;
    links[node + NEXT] = head;
    links[head + PREVIOUS] = node;
    if (last === head) this.#come(levelOf(head));
    if (head < this.#lowest) this.#lowest = head;
  }

  #come(level: number): void {
    this.#levels[level >> 5]! |= 1 << (level & 31);
  }

  /** The next head above this one whose ring may have somebody in it, of 32 at once; forgets this one if it has nobody. */
  #above(head: number): number {
    const levels = this.#levels;
    const level = levelOf(head);
    let word = level >> 5;
    if (this.#links[head + NEXT] === head) levels[word]! &= ~(1 << (level & 31));
    // In two shifts: one by 32 places would be one by none.
    let bits = levels[word]! & ((-1 << (level & 31)) << 1);
    while (bits === 0) {
      if (++word === levels.length) return NOWHERE;
      bits = levels[word]!;
    }
    return headOf((word << 5) + 31 - Math.clz32(bits & -bits));
  }

  #makeRoom(at: number): void {
    if (at < this.#links.length) return;
    this.#links = withRings(this.#links, at);
    this.#levels = withRoom(this.#levels, levelOf(this.#links.length) >> 5);
  }
}

/** A copy with room for what is at `at`, in which the rings of the new levels are empty. */
function withRings(links: Int32Array, at: number): Int32Array {
  const grown = withRoom(links, at | (STRIDE - 1));
  for (let head = Math.max(headOf(0), links.length); head < grown.length; head += STRIDE) {
    grown[head + NEXT] = head;
    grown[head + PREVIOUS] = head;
  }
  return grown;
}

/** With slow start: those who sit out are kept out of the rings. */
class GentleLeastPending implements Picker {
  readonly name = 'least-pending';
  readonly #inner = new LeastPending();
  readonly #slowStart: SlowStart;
  readonly #candidates: (Candidate | undefined)[] = [];
  /** Those who sit out, by the count of picks at which they come back. */
  readonly #sittingOut = new SlotHeap();

  constructor(options: Required<SlowStartOptions>) {
    this.#slowStart = new SlowStart(options, (slot) => this.#comeBack(slot));
  }

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    this.#slowStart.tick(call.now);
    while (this.#sittingOut.topKey <= this.#slowStart.picks) this.#comeBack(this.#sittingOut.top);
    const candidate = this.#inner.pick(ready, call);
    if (candidate !== undefined) return candidate;
    // All others are full or excluded: the call goes to one who sits out before it waits.
    for (let i = 0; i < this.#sittingOut.size; i++) {
      const other = this.#candidates[this.#sittingOut.at(i)]!;
      if (eligible(other, call)) return other;
    }
    return undefined;
  }

  added(candidate: Candidate): void {
    this.#candidates[candidate.slot] = candidate;
    this.#slowStart.added(candidate);
    this.#inner.added(candidate);
  }

  removed(candidate: Candidate): void {
    this.#comeBack(candidate.slot);
    this.#inner.removed(candidate);
    this.#slowStart.removed(candidate);
    this.#candidates[candidate.slot] = undefined;
  }

  started(candidate: Candidate, now: number): void {
    const { slot } = candidate;
    this.#inner.started(candidate);
    this.#slowStart.started(slot, now);
    if (this.#candidates[slot] !== candidate || !this.#slowStart.sitsOut(slot)) return;
    if (!this.#sittingOut.has(slot)) this.#inner.removed(candidate);
    this.#sittingOut.set(slot, this.#slowStart.backAt(slot));
  }

  finished(candidate: Candidate): void {
    this.#inner.finished(candidate);
  }

  #comeBack(slot: number): void {
    if (!this.#sittingOut.has(slot)) return;
    this.#sittingOut.delete(slot);
    this.#inner.added(this.#candidates[slot]!);
  }
}
