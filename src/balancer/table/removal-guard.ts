/** When a removal is too big to be believed, and what is done about it. */
export interface RemovalGuardOptions {
  /** Over how long removals are seen together: leases that lapse together arrive one by one. Default 10,000. */
  readonly windowMs: number;
  /** It trips when fewer than this share of the most announced within the window are left. Default 0.5. */
  readonly fraction: number;
  /** A fleet that had fewer than this within the window is not guarded. Default 3. */
  readonly minimum: number;
  /** How long an endpoint that is not announced any more is kept while its connection holds. Default 60,000. */
  readonly graceMs: number;
}

interface Span {
  readonly count: number;
  /** When the count ceased to be so. */
  until: number;
}

/**
 * Sees when too many endpoints vanish at once: a wiped registry, a fat-fingered delete. It looks at how many are
 * announced, so endpoints that are replaced by others do not trip it.
 *
 * With the defaults, of 100 endpoints 50 may go within ten seconds and are believed gone; with the 51st it trips, and whoever
 * asks keeps them all for as long as their connections hold. A fleet that is scaled down by a tenth every minute never
 * comes near it, and one of two servers is not guarded at all: when one of those goes, it is gone.
 */
export class RemovalGuard {
  /** Past counts, falling: one that was followed by a higher one within the window can never be the most again. */
  #past: Span[] = [];
  #count = 0;

  constructor(readonly options: RemovalGuardOptions) {}

  /** The number announced is this from now on. True when so many have gone within the window that it trips. */
  counted(count: number, now: number): boolean {
    if (count !== this.#count) {
      while (this.#past.length > 0 && this.#past.at(-1)!.count <= this.#count) this.#past.pop();
      this.#past.push({ count: this.#count, until: now });
      this.#count = count;
    }
    return count < this.#most(now) * this.options.fraction && this.#most(now) >= this.options.minimum;
  }

  /** Whether a fleet of that size would be guarded: if not, nothing need be kept for its return. */
  guards(now: number): boolean {
    return Math.max(this.#most(now), this.#count) >= this.options.minimum;
  }

  #most(now: number): number {
    while (this.#past.length > 0 && this.#past[0]!.until < now - this.options.windowMs) this.#past.shift();
    return Math.max(this.#past[0]?.count ?? 0, this.#count);
  }
}
