/** What the detector has counted of one row. */
export interface Tally {
  /** Answers of the present interval: all of them, those that were not OK, and the failures among these. */
  readonly present: Counts;
  /** Of the interval before: a share of the few calls since the last one ended would be chance. */
  readonly past: Counts;
  /** Failures in a row, with no other answer between. */
  failuresInARow: number;
  /** Answers in a row that were not OK. */
  errorsInARow: number;
  /** Its shares when the fleet was last looked at. The fleet's. */
  readonly looked: Record<Fault, number>;
}

export interface Counts {
  answers: number;
  errors: number;
  failures: number;
}

/** Which answers of a row are compared with those of its peers. */
export type Fault = 'errors' | 'failures';

/**
 * What a peer is taken for beside what it has answered: as one call, failed to this part. And the least share that a fleet is
 * taken to have: a run of bad answers is held against a fleet that gives one in a hundred.
 */
const PRIOR = 0.01;
/** How far a share of n answers may lie from the fleet's, in its standard errors, without being thought unlike it. */
const STANDARD_ERRORS = 5;

export function newTally(): Tally {
  return {
    present: newCounts(),
    past: newCounts(),
    failuresInARow: 0,
    errorsInARow: 0,
    looked: { errors: 0, failures: 0 },
  };
}

/**
 * Compares a row with its peers. An answer that all of the fleet gives says nothing of a server: the request is wrong, the
 * method is new, or what all of them stand on is down. So a row is only thought to be unwell that does worse than the median
 * of its peers, by more than chance explains.
 */
export class FleetTally {
  readonly #tallies = new Set<Tally>();
  /** The shares of all rows as they were when last looked at, in order. */
  readonly #shares: Record<Fault, number[]> = { errors: [], failures: [] };
  /** Answers until they are looked at anew: as many as there are rows, so that the work for each is bounded. */
  #fresh = 0;

  /** The row counts as a peer of the others. */
  add(tally: Tally): void {
    this.#tallies.add(tally);
    this.#fresh = 0;
  }

  /** It does not: it is gone, or known to be unwell. */
  delete(tally: Tally): void {
    this.#tallies.delete(tally);
    this.#fresh = 0;
  }

  /** An answer has been counted. */
  counted(): void {
    if (this.#fresh > 0) this.#fresh--;
  }

  /** The share of bad answers of the row's peers, from 0 to 1: their median. */
  peersShare(tally: Tally, fault: Fault): number {
    if (this.#fresh === 0) this.#look();
    const shares = this.#shares[fault];
    const own = this.#tallies.has(tally) ? placeOf(tally.looked[fault], shares) : shares.length;
    const peers = this.#tallies.has(tally) ? shares.length - 1 : shares.length;
    if (peers === 0) return PRIOR;
    const peer = (at: number) => shares[at < own ? at : at + 1]!;
    return (peer((peers - 1) >> 1) + peer(peers >> 1)) / 2;
  }

  /**
   * Whether a run of bad answers is as unlikely, by the share of them that its peers have, as `limit` of them in a row from a
   * fleet that gives one in a hundred. It is never shorter than `limit`.
   */
  runIsTooLong(tally: Tally, fault: Fault, run: number, limit: number): boolean {
    if (run < limit) return false;
    const share = Math.max(PRIOR, this.peersShare(tally, fault));
    return run * Math.log(share) <= limit * Math.log(PRIOR);
  }

  /**
   * Whether a share of bad answers is beyond what chance makes of the share of the fleet.
   *
   * @param fleet - the share that it is compared with, from 0 to 1.
   * @param answers - how many answers `own` is a share of.
   */
  static isUnlike(own: number, fleet: number, answers: number): boolean {
    return own - fleet > STANDARD_ERRORS * Math.sqrt((fleet * (1 - fleet)) / answers);
  }

  #look(): void {
    for (const fault of ['errors', 'failures'] as const) {
      const shares: number[] = [];
      for (const tally of this.#tallies) {
        tally.looked[fault] = share(tally, fault);
        shares.push(tally.looked[fault]);
      }
      this.#shares[fault] = shares.sort((a, b) => a - b);
    }
    this.#fresh = this.#tallies.size;
  }
}

/** Where a value that is in a sorted array stands, by bisection. */
function placeOf(value: number, sorted: readonly number[]): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The end of an interval. */
export function turnOver({ present, past }: Tally): void {
  Object.assign(past, present);
  Object.assign(present, newCounts());
}

function share({ present, past }: Tally, fault: Fault): number {
  return (present[fault] + past[fault] + PRIOR) / (present.answers + past.answers + 1);
}

function newCounts(): Counts {
  return { answers: 0, errors: 0, failures: 0 };
}
