import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';
import { numberOption } from '../../base/options.js';
import { type PickerName, pickerFactory } from './index.js';
import { announce, Part, Partition } from './partition.js';
import type { Candidate, Outcome, PickContext, Picker, PickerFactory } from './picker.js';

export interface ZoneAwareOptions {
  /** The zone of this process. */
  readonly zone: string;
  /** Chooses within the zone, and one more of it among the candidates of all other zones. Default `least-pending`. */
  readonly inner?: PickerName | PickerFactory;
  /** The part of the announced local endpoints that must be READY to keep all calls local. Default 0.7; from 0 to 1. */
  readonly threshold?: number;
  /** Where an endpoint is. Default: its metadata's `zone`. */
  readonly zoneOf?: (endpoint: Endpoint) => string | undefined;
}

/**
 * Keeps calls in the zone while enough of it is there, and lets go of as many as it lacks: with a part r of the announced
 * local endpoints READY, and the threshold t, min(1, r / t) of the calls stay, which is all of them down to t and
 * falls evenly to none (Envoy's overprovisioning factor of 1.4 is a threshold of 1 / 1.4). A call that one side has no
 * candidate for goes to the other. Endpoints of weight 0 do not count as announced.
 *
 * For servers in several zones, where a call across costs time or money, and for as long as clients are spread over the zones as
 * servers are: a zone with most of the clients and few of the servers is kept to itself, too.
 *
 * ```ts
 * import { zoneAware } from 'evenkeel';
 *
 * // Servers say in their metadata where they are: serve(server, { metadata: { zone: 'eu-1' }, ... }).
 * export const picker = zoneAware({ zone: 'eu-1', inner: 'power-of-two', threshold: 0.8 });
 * ```
 *
 * @throws BalancerError INVALID_OPTION or UNKNOWN_PICKER
 */
export function zoneAware(options: ZoneAwareOptions): PickerFactory {
  const {
    zone,
    inner = 'least-pending',
    threshold = 0.7,
    zoneOf = ({ metadata }) => metadata.zone,
  } = options;
  if (typeof zone !== 'string' || zone === '') {
    throw new BalancerError(
      'INVALID_OPTION',
      `zoneAware.zone is ${JSON.stringify(zone)}, and must be the zone's name`,
    );
  }
  numberOption('zoneAware.threshold', threshold, { min: 0, max: 1 });
  const factory = pickerFactory(inner);
  return (env) =>
    new ZoneAware(
      new Part(factory(env)),
      new Part(factory(env)),
      threshold,
      (endpoint) => zoneOf(endpoint) === zone,
    );
}

class ZoneAware implements Picker {
  readonly name: string;
  readonly #partition = new Partition();
  #announcedHere = 0;
  /** What of a call may stay, summed up: each whole one stays. */
  #stay = 0;

  constructor(
    private readonly here: Part,
    private readonly elsewhere: Part,
    private readonly threshold: number,
    private readonly isHere: (endpoint: Endpoint) => boolean,
  ) {
    this.name = `zone-aware ${here.picker.name}`;
  }

  pick(_ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    return this.#stays()
      ? (this.here.pick(call) ?? this.elsewhere.pick(call))
      : (this.elsewhere.pick(call) ?? this.here.pick(call));
  }

  announced(now: Endpoint | undefined, before: Endpoint | undefined): void {
    this.#announcedHere += this.#counts(now) - this.#counts(before);
    announce(now, now && this.#partFor(now), before, before && this.#partFor(before));
  }

  added(candidate: Candidate): void {
    this.#partition.put(candidate, this.#partFor(candidate.endpoint));
  }

  removed(candidate: Candidate): void {
    this.#partition.take(candidate);
  }

  updated(candidate: Candidate, previous: Endpoint): void {
    this.#partition.update(candidate, previous, this.#partFor(candidate.endpoint));
  }

  started(candidate: Candidate, now: number): void {
    this.#partition.started(candidate, now);
  }

  finished(candidate: Candidate, now: number, outcome: Outcome): void {
    this.#partition.finished(candidate, now, outcome);
  }

  #stays(): boolean {
    const ready = this.here.ready.length;
    if (ready === 0) return false;
    const part = ready / this.#announcedHere;
    this.#stay += part >= this.threshold ? 1 : part / this.threshold;
    if (this.#stay < 1) return false;
    this.#stay -= 1;
    return true;
  }

  #counts(endpoint: Endpoint | undefined): number {
    return endpoint !== undefined && endpoint.weight > 0 && this.isHere(endpoint) ? 1 : 0;
  }

  #partFor(endpoint: Endpoint): Part {
    return this.isHere(endpoint) ? this.here : this.elsewhere;
  }
}
