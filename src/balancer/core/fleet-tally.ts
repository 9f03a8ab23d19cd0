/** Which answers of a row are compared with those of its peers: all that were not OK, or the failures among these. */
export type Fault = 'errors' | 'failures';

export interface Counts {
  answers: number;
  errors: number;
  failures: number;
}

/** What is counted of one row. The fleet's, but for reading. */
export interface Tally {
  /** Answers of the present interval. */
  readonly present: Counts;
  /** The shares of bad ones among its latest answers, from 0 to 1: averages that fade by 1/16 with each. */
  readonly latest: Record<Fault, number>;
  /** Bad answers in a row. */
  readonly run: Record<Fault, number>;
  /** What all of the fleet had answered, and this row of it, when the run began. */
  readonly before: Record<Fault, { readonly fleet: Counts; readonly own: number }>;
  /** `latest` as the fleet last looked at it. */
  readonly looked: Record<Fault, number>;
  /** All that it has answered while it was in the fleet. */
  total: number;
}

const FAULTS: readonly Fault[] = ['errors', 'failures'];
const LATEST = 16;
/**
 * The least share of bad answers that a fleet is taken to have: a run of them is held against a fleet that gives one in a
 * hundred.
 */
const PRIOR = 0.01;
/** How far a share of n answers may lie from the fleet's, in its standard errors, without being thought unlike it. */
const STANDARD_ERRORS = 5;

export function newTally(): Tally {
  const none = { fleet: newCounts(), own: 0 };
  return {
    present: newCounts(),
    latest: { errors: 0, failures: 0 },
    run: { errors: 0, failures: 0 },
    before: { errors: none, failures: none },
    looked: { errors: 0, failures: 0 },
    total: 0,
  };
}

/**
 * Compares a row with its peers. An answer that all of the fleet gives says nothing of a server: the request is wrong, the
 * method is new, or what all of them stand on is down. So a row is only thought to be unwell that does worse than its peers
 * do at the same time, by more than chance explains.
 */
export class FleetTally {
  readonly #tallies = new Set<Tally>();
  /** All that its rows have answered while they were in it. */
  readonly #total = newCounts();
  /** The `latest` of all rows as they were when last looked at, in order. */
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

  /** Counts an answer: a good one, or one that is at fault. A failure is an error, too. */
  answered(tally: Tally, bad: Fault | undefined): void {
    tally.present.answers++;
    const counts = this.#tallies.has(tally);
    if (counts) {
      tally.total++;
      this.#total.answers++;
    }
    if (this.#fresh > 0) this.#fresh--;
    for (const fault of FAULTS) {
      const is = bad === fault || bad === 'failures';
      tally.latest[fault] += ((is ? 1 : 0) - tally.latest[fault]) / LATEST;
      if (!is) {
        tally.run[fault] = 0;
        continue;
      }
      tally.present[fault]++;
      if (counts) this.#total[fault]++;
      // Of the run's first answer on: what peers answered before it began was asked something else, perhaps.
      if (tally.run[fault]++ === 0) this.#begins(tally, fault);
    }
  }

  /** Takes the row's runs for so long, as if they had just come to that. */
  setRun(tally: Tally, run: number): void {
    for (const fault of FAULTS) {
      tally.run[fault] = run;
      this.#begins(tally, fault);
    }
  }

  /**
   * The share of bad answers of the row's peers, from 0 to 1: the median of their latest, or of all that they have answered since
   * the row's own run began, whichever is more. For the fleet may be asked something else by now, and its busier rows notice first.
   */
  peersShare(tally: Tally, fault: Fault): number {
    return Math.max(PRIOR, this.#median(tally, fault), this.#sinceRun(tally, fault));
  }

  /**
   * Whether the row's run of bad answers is as unlikely, by the share of them that its peers have, as `limit` of them in a
   * row from a fleet that gives one in a hundred. It is never shorter than `limit`.
   */
  runIsTooLong(tally: Tally, fault: Fault, limit: number): boolean {
    const run = tally.run[fault];
    if (run < limit) return false;
    return run * Math.log(this.peersShare(tally, fault)) <= limit * Math.log(PRIOR);
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

  #begins(tally: Tally, fault: Fault): void {
    tally.before[fault] = { fleet: { ...this.#total }, own: tally.total };
  }

  #median(tally: Tally, fault: Fault): number {
    if (this.#fresh === 0) this.#look();
    const shares = this.#shares[fault];
    const isIn = this.#tallies.has(tally);
    const own = isIn ? placeOf(tally.looked[fault], shares) : shares.length;
    const peers = isIn ? shares.length - 1 : shares.length;
    if (peers === 0) return 0;
    const peer = (at: number) => shares[at < own ? at : at + 1]!;
    return (peer((peers - 1) >> 1) + peer(peers >> 1)) / 2;
  }

  /** What they have answered since the row's run began. */
  #sinceRun(tally: Tally, fault: Fault): number {
    const answers = this.#peersAnswers(tally, fault);
    if (answers === 0) return 0;
    const { fleet, own } = tally.before[fault];
    // Since then, all of its own were bad. A few good ones of peers that are called far less prove little.
    const bad = this.#total[fault] - fleet[fault] - (tally.total - own);
    return answers < tally.run[fault] / 2 ? (bad + 1) / (answers + 2) : bad / answers;
  }

  #peersAnswers(tally: Tally, fault: Fault): number {
    if (tally.run[fault] === 0 || !this.#tallies.has(tally)) return 0;
    const { fleet, own } = tally.before[fault];
    return Math.max(0, this.#total.answers - fleet.answers - (tally.total - own));
  }

  #look(): void {
    for (const fault of FAULTS) {
      const shares: number[] = [];
      for (const tally of this.#tallies) {
        tally.looked[fault] = tally.latest[fault];
        shares.push(tally.latest[fault]);
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
export function turnOver({ present }: Tally): void {
  Object.assign(present, newCounts());
}

function newCounts(): Counts {
  return { answers: 0, errors: 0, failures: 0 };
}
