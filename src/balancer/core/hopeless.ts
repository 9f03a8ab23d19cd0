/**
 * Whether a call that waited is better failed than sent, now that its turn has come.
 *
 * A server goes on working on a call whose caller has given up. In an overload, sending every call that still has a little
 * time left makes the servers work on calls that nobody waits for, and leaves less for the others. So a call is sent only if it
 * can be expected to be answered in time:
 *
 * - It has waited for less than half of its time: it must have as much time left as half of the calls take.
 * - It has waited for longer: the queue does not get shorter, and it must have as much time left as 99 % of the calls take.
 *
 * Maurer, "Fail at scale" (ACM Queue, 2015), has the same idea for plain queues.
 *
 * @param waitedMs - since it entered.
 * @param leftMs - until its deadline.
 * @param quantile - of the latencies of the pool, in milliseconds; undefined while it knows too few. Then every call is sent.
 */
export function hopeless(
  waitedMs: number,
  leftMs: number,
  quantile: (q: number) => number | undefined,
): boolean {
  const most = quantile(waitedMs > leftMs ? 0.99 : 0.5);
  return most !== undefined && leftMs < most;
}
