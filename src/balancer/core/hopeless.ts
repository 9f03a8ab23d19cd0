/**
 * Whether a call that has waited is better failed than sent, now that its turn has come.
 *
 * With less time left than half of the calls take it would rather die on the server than be answered. One that has
 * waited for more than half of its time stands in a queue that does not get shorter: there it fails with less than
 * nearly all of them take. For in an overload each call is sent with no more time than it needs at the least, and a
 * server that works on calls which nobody waits for any more has little left for the others (Maurer, "Fail at scale",
 * 2015, has the same from plain queues).
 *
 * @param waitedMs - from its start.
 * @param leftMs - until its deadline.
 * @param quantile - of the latencies of the pool, in milliseconds; undefined while it knows too few.
 */
export function hopeless(
  waitedMs: number,
  leftMs: number,
  quantile: (q: number) => number | undefined,
): boolean {
  const most = quantile(waitedMs > leftMs ? 0.99 : 0.5);
  return most !== undefined && leftMs < most;
}
