import type { KeyHolder } from './leases.js';

/** What a registration knows of its right to its key. */
export interface Claim {
  /** The lease that it keeps alive. */
  readonly lease: string;
  /** Leases that it had before, and that the key may hang on still. */
  readonly former: ReadonlySet<string>;
  /**
   * A key that was put at this revision or before is left over from another life of this server, and may be taken
   * over: what was there when the registration began. 0n once the registration has put its key: from then on whatever
   * somebody else puts came after it.
   */
  readonly mayTakeUpTo: bigint;
}

export type ClaimVerdict =
  /** The key hangs on the lease: nothing is to be done. */
  | { readonly kind: 'held' }
  /** Put the key, if it is still at this revision. */
  | { readonly kind: 'put'; readonly ifRevision: bigint }
  /** Another live process holds the key. It is never taken from it. */
  | { readonly kind: 'taken' };

/** What a registration is to do about its key. */
export function judge(holder: KeyHolder | undefined, claim: Claim): ClaimVerdict {
  if (holder === undefined) return { kind: 'put', ifRevision: 0n };
  if (holder.lease === claim.lease) return { kind: 'held' };
  if (claim.former.has(holder.lease) || holder.revision <= claim.mayTakeUpTo) {
    return { kind: 'put', ifRevision: holder.revision };
  }
  return { kind: 'taken' };
}
