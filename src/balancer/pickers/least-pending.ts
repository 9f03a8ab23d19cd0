import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from '../picker.js';
import { SlotHeap } from './slot-heap.js';
import { withRoom } from './slot-lists.js';
import { SlowStart, type SlowStartOptions, slowStartOptions } from './slow-start.js';

export interface LeastPendingOptions {
  /** Brings those who join up to their share slowly. Default: off. */
  readonly slowStart?: SlowStartOptions;
}

/**
 * The candidate with the fewest pending calls: the exact minimum, ties broken in turn, at O(1) a pick, start and finish.
 * With slow start, the exact minimum of those that do not sit out.
 *
 * @throws BalancerError INVALID_OPTION
 */
export function leastPending({ slowStart }: LeastPendingOptions = {}): PickerFactory {
  if (slowStart === undefined) return () => new LeastPending();
  const options = slowStartOptions(slowStart);
  return () => new GentleLeastPending(options);
}

// A candidate's node is at four times its slot in an array of numbers, a bucket at a multiple of four in another: a cache
// line each, and links for which the engine needs no write barrier.
const SIZE_BITS = 2;
const SIZE = 1 << SIZE_BITS;
/** The node after this one in its bucket, and the one before: they go round. */
const NEXT = 0;
const PREVIOUS = 1;
/** The bucket that a node is in. */
const BUCKET = 2;
/** How many calls each candidate of a bucket has pending. */
const PENDING = 0;
/** The node whose turn it is in a bucket, or {@link NO_NODE}. */
const FIRST = 1;
/** The buckets of the next more and the next fewer pending calls. */
const ABOVE = 2;
const BELOW = 3;
const NO_NODE = -1;
/** Where no bucket is: a new array is full of it. */
const NO_BUCKET = 0;

/**
 * Candidates of equal `pending` share a bucket, and the buckets are linked in order: a call started or finished moves
 * its candidate to the bucket next door. The counts are the candidates' own, so calls that another picker started
 * are counted too. A full or excluded candidate is walked past, and keeps its place.
 */
class LeastPending implements Picker {
  readonly name = 'least-pending';
  readonly #candidates: (Candidate | undefined)[] = [];
  #nodes = new Int32Array(16 * SIZE);
  #buckets = new Int32Array(16 * SIZE);
  #lowest = NO_BUCKET;
  /** Those that are empty, linked by ABOVE; and where there never was one. */
  #unused = NO_BUCKET;
  #untouched = NO_BUCKET + SIZE;

  pick(_ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    const nodes = this.#nodes;
    const buckets = this.#buckets;
    for (let bucket = this.#lowest; bucket !== NO_BUCKET; bucket = buckets[bucket + ABOVE]!) {
      const first = buckets[bucket + FIRST]!;
      let node = first;
      do {
        const candidate = this.#candidates[node >> SIZE_BITS]!;
        if (eligible(candidate, call)) {
          if (node === first) {
            buckets[bucket + FIRST] = nodes[node + NEXT]!;
          } else {
            this.#take(node, bucket);
            this.#put(node, bucket);
          }
          return candidate;
        }
        node = nodes[node + NEXT]!;
      } while (node !== first);
    }
    return undefined;
  }

  added(candidate: Candidate): void {
    const { slot, pending } = candidate;
    this.#candidates[slot] = candidate;
    this.#nodes = withRoom(this.#nodes, (slot + 1) * SIZE);
    // There are no more buckets than candidates, and one that a candidate is about to move to.
    this.#buckets = withRoom(this.#buckets, (slot + 3) * SIZE);
    const below = this.#nearestBelow(pending, this.#lowest);
    this.#put(slot * SIZE, this.#holds(below, pending) ? below : this.#open(pending, below));
  }

  removed({ slot }: Candidate): void {
    const node = slot * SIZE;
    this.#take(node, this.#nodes[node + BUCKET]!);
    this.#nodes[node + BUCKET] = NO_BUCKET;
    this.#candidates[slot] = undefined;
  }

  started(candidate: Candidate): void {
    this.#moved(candidate);
  }

  finished(candidate: Candidate): void {
    this.#moved(candidate);
  }

  #moved({ slot, pending }: Candidate): void {
    const node = slot * SIZE;
    const buckets = this.#buckets;
    const from = this.#nodes[node + BUCKET] ?? NO_BUCKET;
    if (from === NO_BUCKET) return;
    const next = buckets[from + (pending > buckets[from + PENDING]! ? ABOVE : BELOW)]!;
    const to =
      next !== NO_BUCKET && buckets[next + PENDING] === pending ? next : this.#bucketFor(node, pending, from);
    if (to === from) return;
    this.#take(node, from);
    this.#put(node, to);
  }

  /** Where a node goes to that has no bucket next door: to its own, made over, where it is alone; or to another. */
  #bucketFor(node: number, pending: number, from: number): number {
    const below = this.#nearestBelow(pending, from);
    if (this.#holds(below, pending)) return below;
    if (this.#nodes[node + NEXT] === node && (below === from || this.#buckets[from + BELOW] === below)) {
      this.#buckets[from + PENDING] = pending;
      return from;
    }
    return this.#open(pending, below);
  }

  /** The highest bucket of at most `pending` calls. Looked for from one `near` it: a step or two, if it was the last. */
  #nearestBelow(pending: number, near: number): number {
    const buckets = this.#buckets;
    let below = near;
    while (below !== NO_BUCKET && buckets[below + PENDING]! > pending) below = buckets[below + BELOW]!;
    let above = below === NO_BUCKET ? this.#lowest : buckets[below + ABOVE]!;
    while (above !== NO_BUCKET && buckets[above + PENDING]! <= pending) {
      below = above;
      above = buckets[above + ABOVE]!;
    }
    return below;
  }

  #holds(bucket: number, pending: number): boolean {
    return bucket !== NO_BUCKET && this.#buckets[bucket + PENDING] === pending;
  }

  /** Puts a node that is in no bucket behind the others of one. */
  #put(node: number, bucket: number): void {
    const nodes = this.#nodes;
    const first = this.#buckets[bucket + FIRST]!;
    nodes[node + BUCKET] = bucket;
    if (first === NO_NODE) {
      nodes[node + NEXT] = node;
      nodes[node + PREVIOUS] = node;
      this.#buckets[bucket + FIRST] = node;
    } else {
      const last = nodes[first + PREVIOUS]!;
      nodes[last + NEXT] = node;
      nodes[node + PREVIOUS] = last;
      nodes[node + NEXT] = first;
      nodes[first + PREVIOUS] = node;
    }
  }

  /** Takes a node out of its bucket, which is closed with its last. */
  #take(node: number, bucket: number): void {
    const nodes = this.#nodes;
    const next = nodes[node + NEXT]!;
    if (next === node) {
      this.#close(bucket);
      return;
    }
    const previous = nodes[node + PREVIOUS]!;
    nodes[previous + NEXT] = next;
    nodes[next + PREVIOUS] = previous;
    if (this.#buckets[bucket + FIRST] === node) this.#buckets[bucket + FIRST] = next;
  }

  #open(pending: number, below: number): number {
    const buckets = this.#buckets;
    let bucket = this.#unused;
    if (bucket === NO_BUCKET) {
      bucket = this.#untouched;
      this.#untouched += SIZE;
    } else {
      this.#unused = buckets[bucket + ABOVE]!;
    }
    const above = below === NO_BUCKET ? this.#lowest : buckets[below + ABOVE]!;
    buckets[bucket + PENDING] = pending;
    buckets[bucket + FIRST] = NO_NODE;
    this.#link(below, bucket);
    this.#link(bucket, above);
    return bucket;
  }

  #close(bucket: number): void {
    const buckets = this.#buckets;
    this.#link(buckets[bucket + BELOW]!, buckets[bucket + ABOVE]!);
    buckets[bucket + ABOVE] = this.#unused;
    this.#unused = bucket;
  }

  #link(below: number, above: number): void {
    if (below === NO_BUCKET) this.#lowest = above;
    else this.#buckets[below + ABOVE] = above;
    if (above !== NO_BUCKET) this.#buckets[above + BELOW] = below;
  }
}

/** With slow start: those who sit out are kept out of the buckets. */
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
