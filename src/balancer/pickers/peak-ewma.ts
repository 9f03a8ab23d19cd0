import { type PeakEwmaOptions, peakEwma } from './meters.js';
import type { PickerFactory } from './picker.js';
import { type PowerOfTwoOptions, powerOfTwo } from './power-of-two.js';

export type PeakEwmaPickerOptions = PeakEwmaOptions & Omit<PowerOfTwoOptions, 'meter'>;

/**
 * Power of two by {@link peakEwma}: the less latency times pending calls, and none for a server that fails.
 *
 * @throws BalancerError INVALID_OPTION
 */
export function peakEwmaPicker(options: PeakEwmaPickerOptions = {}): PickerFactory {
  return powerOfTwo({ ...options, meter: peakEwma(options) });
}
