import { FleetTally, type Tally } from './fleet-tally.js';
import type { OutlierOptions } from './outlier-options.js';

// The two comparisons of gRFC A50, at the end of an interval. What they find is beyond chance as well: A50 alone would have
// one of ten healthy servers out in every fourth interval, for being the last by a hair.

interface Compared {
  readonly tally: Tally;
}

/** Those whose success rate is so many standard deviations below the mean of all that had calls enough. */
export function* worseBySuccessRate<H extends Compared>(
  hosts: readonly H[],
  { stdevFactor, minimumHosts, requestVolume }: Exclude<OutlierOptions['successRate'], false>,
): Generator<H> {
  const busy = hosts.filter(({ tally }) => tally.present.answers >= requestVolume);
  if (busy.length < minimumHosts) return;
  const rates = busy.map(({ tally }) => 1 - errorShare(tally));
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
  const required = mean - Math.sqrt(variance) * stdevFactor;
  for (const [index, host] of busy.entries()) {
    const rate = rates[index]!;
    if (rate < required && FleetTally.isUnlike(1 - rate, 1 - mean, host.tally.present.answers)) yield host;
  }
}

/**
 * Those of whose calls more than `threshold` per cent failed, where at least `minimumHosts` had calls enough. Compared with the
 * median of those that may be ejected: who is out is known to be unwell.
 */
export function* worseByFailurePercentage<H extends Compared>(
  hosts: readonly H[],
  { threshold, minimumHosts, requestVolume }: Exclude<OutlierOptions['failurePercentage'], false>,
  mayBeEjected: (host: H) => boolean,
): Generator<H> {
  const busy = hosts.filter(({ tally }) => tally.present.answers >= requestVolume);
  if (busy.length < minimumHosts) return;
  for (const host of busy) {
    const failed = errorShare(host.tally);
    if (failed * 100 <= threshold) continue;
    const peers = busy
      .filter((peer) => peer !== host && mayBeEjected(peer))
      .map(({ tally }) => errorShare(tally));
    if (FleetTally.isUnlike(failed, median(peers), host.tally.present.answers)) yield host;
  }
}

function median(values: number[]): number {
  if (values.length === 0) return 0;
  values.sort((a, b) => a - b);
  return (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2;
}

/** Of the present interval. */
function errorShare({ present }: Tally): number {
  return present.errors / present.answers;
}
