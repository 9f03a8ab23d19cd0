import { BalancerError } from '../../base/errors.js';
import { leastPending } from './least-pending.js';
import { maglev } from './maglev.js';
import { peakEwmaPicker } from './peak-ewma.js';
import type { PickerFactory } from './picker.js';
import { powerOfTwo } from './power-of-two.js';
import { random } from './random.js';
import { ringHash } from './ring-hash.js';
import { roundRobin } from './round-robin.js';
import { weightedRoundRobin } from './weighted-round-robin.js';

/** The pickers that need no options, by name: each as it is with none. */
const FACTORIES = {
  'round-robin': roundRobin(),
  random: random(),
  'least-pending': leastPending(),
  'power-of-two': powerOfTwo(),
  'peak-ewma': peakEwmaPicker(),
  'weighted-round-robin': weightedRoundRobin(),
  'ring-hash': ringHash(),
  maglev: maglev(),
} as const satisfies Record<string, PickerFactory>;

/** The name of a picker that needs no options. */
export type PickerName = keyof typeof FACTORIES;

/** Every {@link PickerName}. */
export const pickerNames: readonly PickerName[] = Object.freeze(Object.keys(FACTORIES) as PickerName[]);

/**
 * The factory of that name, or the factory itself.
 *
 * @throws {@link BalancerError} UNKNOWN_PICKER, naming the value and the names there are: never another picker.
 */
export function pickerFactory(picker: PickerName | PickerFactory): PickerFactory {
  if (typeof picker === 'function') return picker;
  if (Object.hasOwn(FACTORIES, picker)) return FACTORIES[picker];
  throw new BalancerError(
    'UNKNOWN_PICKER',
    `picker ${JSON.stringify(picker) ?? String(picker)} is none of ${pickerNames.join(', ')}, nor a picker factory`,
  );
}
