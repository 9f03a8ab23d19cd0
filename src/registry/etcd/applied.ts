/**
 * The diagnostics channel (`node:diagnostics_channel`) on which every watch tells what it has applied: for proving that
 * nothing is lost and nothing applied twice. Nothing is built while nobody subscribes.
 */
export const APPLIED_CHANNEL = 'evenkeel:etcd:applied';

/** A message of {@link APPLIED_CHANNEL}, in the turn in which the endpoints were told. */
export type Applied =
  /** A session has begun, with all that there was at this revision. */
  | { readonly kind: 'snapshot'; readonly keysBegin: string; readonly revision: bigint }
  /** The revisions of changes of that session, one for each change, in the order in which they were applied. */
  | { readonly kind: 'changes'; readonly keysBegin: string; readonly revisions: readonly bigint[] };
