import type { Candidate, Outcome, PickContext, Picker } from '../balancer/pickers/picker.js';
import { type Endpoint, type EndpointInit, endpointFrom } from '../base/endpoint.js';
import { Status } from '../base/errors.js';

/** A candidate whose every field a test may set. */
export class FakeCandidate implements Candidate {
  pending: number;
  /** How many pending calls make it full. */
  limit = Number.POSITIVE_INFINITY;

  constructor(
    public endpoint: Endpoint,
    readonly slot: number,
    pending = 0,
  ) {
    this.pending = pending;
  }

  get full(): boolean {
    return this.pending >= this.limit;
  }
}

/**
 * A candidate set that treats its picker as the subchannel table does, and has no subchannels: a dense `ready` array
 * that moves its last candidate into a gap; slots that are dense and reused, but kept while a call is pending; hooks
 * in the order of what happened, after `pending` has changed.
 */
export class FakeCandidates {
  /** Monotonic milliseconds, moved by hand. */
  now = 0;
  readonly #ready: FakeCandidate[] = [];
  readonly #inUse: boolean[] = [];
  #picker: Picker;
  #ids = 0;

  constructor(picker: Picker) {
    this.#picker = picker;
  }

  get ready(): readonly FakeCandidate[] {
    return this.#ready;
  }

  get picker(): Picker {
    return this.#picker;
  }

  /** A new endpoint is announced, and READY. Its address is made up where none is given. */
  add(init: Partial<EndpointInit> = {}): FakeCandidate {
    const id = String(this.#ids++);
    const endpoint = endpointFrom(
      { ...init, address: init.address ?? `10.0.0.1:${10_000 + Number(id)}` },
      id,
    );
    let slot = this.#inUse.indexOf(false);
    if (slot < 0) slot = this.#inUse.length;
    this.#inUse[slot] = true;
    const candidate = new FakeCandidate(endpoint, slot);
    this.#ready.push(candidate);
    this.#picker.announced?.(endpoint, undefined);
    this.#picker.added?.(candidate);
    return candidate;
  }

  /** The endpoint is withdrawn, and its candidate not READY any more. Its pending calls may still finish. */
  remove(candidate: FakeCandidate): void {
    const at = this.#ready.indexOf(candidate);
    if (at < 0) throw new Error('the candidate is not READY');
    const last = this.#ready.pop()!;
    if (last !== candidate) this.#ready[at] = last;
    this.#picker.announced?.(undefined, candidate.endpoint);
    this.#picker.removed?.(candidate);
    this.#freeSlot(candidate);
  }

  /** The endpoint of a READY candidate has new attributes. */
  update(candidate: FakeCandidate, change: Partial<Pick<Endpoint, 'weight' | 'metadata'>>): void {
    const previous = candidate.endpoint;
    candidate.endpoint = { ...previous, ...change };
    this.#picker.announced?.(candidate.endpoint, previous);
    this.#picker.updated?.(candidate, previous);
  }

  /** Asks for a candidate and starts a call on it. */
  pick(call: Omit<PickContext, 'now'> = {}): FakeCandidate | undefined {
    if (this.#ready.length === 0) return undefined;
    const candidate = this.#picker.pick(this.#ready, { ...call, now: this.now }) as FakeCandidate | undefined;
    if (candidate !== undefined) {
      candidate.pending++;
      this.#picker.started?.(candidate, this.now);
    }
    return candidate;
  }

  /** A pending call of the candidate, READY or not, ends: by default well, after 1 ms. */
  finish(candidate: FakeCandidate, outcome: Outcome = { code: Status.OK, latencyMs: 1 }): void {
    if (candidate.pending === 0) throw new Error('the candidate has no pending call');
    candidate.pending--;
    this.#picker.finished?.(candidate, this.now, outcome);
    this.#freeSlot(candidate);
  }

  /** Hot swap: the new picker is told of everything that is there, and the old one of nothing more. */
  swap(picker: Picker): void {
    this.#picker = picker;
    for (const { endpoint } of this.#ready) picker.announced?.(endpoint, undefined);
    for (const candidate of this.#ready) picker.added?.(candidate);
  }

  /** The order of `ready` is the table's own: here is another one. */
  reverse(): void {
    this.#ready.reverse();
  }

  #freeSlot(candidate: FakeCandidate): void {
    if (candidate.pending === 0 && !this.#ready.includes(candidate)) this.#inUse[candidate.slot] = false;
  }
}
