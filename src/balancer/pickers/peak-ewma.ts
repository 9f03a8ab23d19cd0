import { type PeakEwmaOptions, peakEwma } from './meters.js';
import type { PickerFactory } from './picker.js';
import { type PowerOfTwoOptions, powerOfTwo } from './power-of-two.js';

export type PeakEwmaPickerOptions = PeakEwmaOptions & Omit<PowerOfTwoOptions, 'meter'>;

/**
 * Power of two by {@link peakEwma}: the less latency times pending calls, and none for a server that fails.
 *
 * For servers of unequal or changing speed, and for those that may fail fast. It costs an exponential for each candidate that is
 * drawn, some 20 ns, and needs latencies that say something of the server: in a service whose calls take 1 ms or 10 s by what
 * they ask for, pending calls say more.
 *
 * @throws BalancerError INVALID_OPTION
 */
export function peakEwmaPicker(options: PeakEwmaPickerOptions = {}): PickerFactory {
  return powerOfTwo({ ...options, meter: peakEwma(options) });
}
