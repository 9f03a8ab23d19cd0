import { type Candidate, eligible, type PickContext, type Picker, type PickerFactory } from '../picker.js';
import { SlotHeap } from './slot-heap.js';
import { NONE, SlotLists, withRoom } from './slot-lists.js';
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

/**
 * Candidates of equal `pending` share a bucket, and the buckets are linked in order: a call started or finished moves
 * its candidate to the bucket next door. The counts are the candidates' own, so calls that another picker started
 * are counted too. A full or excluded candidate is walked past, and keeps its place.
 */
class LeastPending implements Picker {
  readonly name = 'least-pending';
  readonly #candidates: (Candidate | undefined)[] = [];
  /** The slots of each bucket, in the order of their turns. */
  readonly #lists = new SlotLists();
  /** The bucket of a slot. */
  #bucketOf = new Int32Array(16);
  // Buckets, by number: at most one for each slot and one on its way.
  #pendingIn = new Int32Array(16);
  #firstIn = new Int32Array(16);
  /** The bucket with the next more pending calls, or the next unused one. */
  #above = new Int32Array(16);
  #below = new Int32Array(16);
  #lowest = NONE;
  #unused = NONE;
  #buckets = 0;

  pick(_ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    for (let bucket = this.#lowest; bucket !== NONE; bucket = this.#above[bucket]!) {
      const first = this.#firstIn[bucket]!;
      let slot = first;
      do {
        const candidate = this.#candidates[slot]!;
        if (eligible(candidate, call)) {
          this.#giveTurn(bucket, slot);
          return candidate;
        }
        slot = this.#lists.next(slot);
      } while (slot !== first);
    }
    return undefined;
  }

  added(candidate: Candidate): void {
    const { slot, pending } = candidate;
    this.#candidates[slot] = candidate;
    this.#bucketOf = withRoom(this.#bucketOf, slot);
    this.#put(slot, this.#bucketFor(pending, this.#lowest));
  }

  removed(candidate: Candidate): void {
    this.#take(candidate.slot);
    this.#candidates[candidate.slot] = undefined;
  }

  started(candidate: Candidate): void {
    this.#moved(candidate);
  }

  finished(candidate: Candidate): void {
    this.#moved(candidate);
  }

  #moved(candidate: Candidate): void {
    const { slot, pending } = candidate;
    if (this.#candidates[slot] !== candidate) return;
    const bucket = this.#bucketFor(pending, this.#bucketOf[slot]!);
    this.#take(slot);
    this.#put(slot, bucket);
  }

  #put(slot: number, bucket: number): void {
    this.#bucketOf[slot] = bucket;
    this.#firstIn[bucket] = this.#lists.append(this.#firstIn[bucket]!, slot);
  }

  #take(slot: number): void {
    const bucket = this.#bucketOf[slot]!;
    const first = this.#lists.remove(this.#firstIn[bucket]!, slot);
    this.#firstIn[bucket] = first;
    if (first === NONE) this.#close(bucket);
  }

  /** The slot goes behind the others of its bucket. */
  #giveTurn(bucket: number, slot: number): void {
    const first = this.#firstIn[bucket]!;
    if (slot === first) this.#firstIn[bucket] = this.#lists.next(slot);
    else this.#firstIn[bucket] = this.#lists.append(this.#lists.remove(first, slot), slot);
  }

  /** The bucket of `pending`, opened where there is none. Looked for from a bucket `near` it: one or two steps. */
  #bucketFor(pending: number, near: number): number {
    let below = near;
    while (below !== NONE && this.#pendingIn[below]! > pending) below = this.#below[below]!;
    let above = below === NONE ? this.#lowest : this.#above[below]!;
    while (above !== NONE && this.#pendingIn[above]! <= pending) {
      below = above;
      above = this.#above[above]!;
    }
    return below !== NONE && this.#pendingIn[below] === pending ? below : this.#open(pending, below, above);
  }

  #open(pending: number, below: number, above: number): number {
    let bucket = this.#unused;
    if (bucket === NONE) {
      bucket = this.#buckets++;
      this.#pendingIn = withRoom(this.#pendingIn, bucket);
      this.#firstIn = withRoom(this.#firstIn, bucket);
      this.#above = withRoom(this.#above, bucket);
      this.#below = withRoom(this.#below, bucket);
    } else {
      this.#unused = this.#above[bucket]!;
    }
    this.#pendingIn[bucket] = pending;
    this.#firstIn[bucket] = NONE;
    this.#link(below, bucket);
    this.#link(bucket, above);
    return bucket;
  }

  #close(bucket: number): void {
    this.#link(this.#below[bucket]!, this.#above[bucket]!);
    this.#above[bucket] = this.#unused;
    this.#unused = bucket;
  }

  #link(below: number, above: number): void {
    if (below === NONE) this.#lowest = above;
    else this.#above[below] = above;
    if (above !== NONE) this.#below[above] = below;
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
