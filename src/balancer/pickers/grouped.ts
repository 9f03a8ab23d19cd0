import type { Endpoint } from '../../base/endpoint.js';
import type { Random } from '../../base/random.js';
import { type PickerName, pickerFactory } from './index.js';
import { announce, Part, Partition } from './partition.js';
import type { Candidate, Outcome, PickContext, Picker, PickerFactory } from './picker.js';

export interface GroupedOptions {
  /** The group of an endpoint, by its metadata say; undefined for one that is in none. */
  readonly label: (endpoint: Endpoint) => string | undefined;
  /** Chooses within a group; another one of it among all candidates. Default `least-pending`. */
  readonly inner?: PickerName | PickerFactory;
}

/**
 * A call that names a group (a canary, a version, a tenant) goes to a candidate of that group or to none; one that names
 * none goes to any candidate. Candidates are labelled when they are added and when their attributes change, never
 * per call.
 *
 * ```ts
 * import { grouped, type Pool } from 'evenkeel';
 *
 * export async function onCanary(pool: Pool): Promise<void> {
 *   pool.setPicker(grouped({ label: ({ metadata }) => metadata.version, inner: 'peak-ewma' }));
 *   using pick = await pool.pick({ group: 'v2' }); // waits while no v2 is READY
 *   console.log(pick.endpoint.address);
 * }
 * ```
 *
 * @throws BalancerError UNKNOWN_PICKER
 */
export function grouped({ label, inner = 'least-pending' }: GroupedOptions): PickerFactory {
  const factory = pickerFactory(inner);
  return (env) => new Grouped(label, factory, env);
}

/** A group lives while somebody in it is READY or announced: names may come and go for ever. */
class Group extends Part {
  announcements = 0;

  constructor(
    readonly name: string,
    picker: Picker,
  ) {
    super(picker);
  }
}

class Grouped implements Picker {
  readonly name: string;
  readonly #all: Picker;
  readonly #groups = new Map<string, Group>();
  readonly #partition = new Partition<Group>();

  constructor(
    private readonly label: (endpoint: Endpoint) => string | undefined,
    private readonly factory: PickerFactory,
    private readonly env: { readonly random: Random },
  ) {
    this.#all = factory(env);
    this.name = `grouped ${this.#all.name}`;
  }

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    if (call.group === undefined) return this.#all.pick(ready, call);
    return this.#groups.get(call.group)?.pick(call);
  }

  announced(now: Endpoint | undefined, before: Endpoint | undefined): void {
    const into = now && this.#groupOf(now);
    const outOf = before && this.#groupOf(before);
    if (into !== undefined) into.announcements++;
    if (outOf !== undefined) outOf.announcements--;
    announce(now, into, before, outOf);
    this.#forget(outOf);
    this.#all.announced?.(now, before);
  }

  added(candidate: Candidate): void {
    this.#partition.put(candidate, this.#groupOf(candidate.endpoint));
    this.#all.added?.(candidate);
  }

  removed(candidate: Candidate): void {
    this.#forget(this.#partition.take(candidate));
    this.#all.removed?.(candidate);
  }

  updated(candidate: Candidate, previous: Endpoint): void {
    this.#forget(this.#partition.update(candidate, previous, this.#groupOf(candidate.endpoint)));
    this.#all.updated?.(candidate, previous);
  }

  started(candidate: Candidate, now: number): void {
    this.#partition.started(candidate, now);
    this.#all.started?.(candidate, now);
  }

  finished(candidate: Candidate, now: number, outcome: Outcome): void {
    this.#partition.finished(candidate, now, outcome);
    this.#all.finished?.(candidate, now, outcome);
  }

  #groupOf(endpoint: Endpoint): Group | undefined {
    const name = this.label(endpoint);
    if (name === undefined) return undefined;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group(name, this.factory(this.env));
      this.#groups.set(name, group);
    }
    return group;
  }

  #forget(group: Group | undefined): void {
    if (group === undefined || group.announcements > 0 || group.ready.length > 0) return;
    if (this.#groups.get(group.name) === group) this.#groups.delete(group.name);
  }
}
