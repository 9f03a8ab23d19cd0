import type { PickerName } from '../../src/balancer/pickers/index.js';

/** The sizes of the sets that every picker is measured in. */
export const PICK_SIZES = [4, 100, 10_000] as const;

/** The sizes of the tables that are changed. */
export const TABLE_SIZES = [100, 10_000] as const;

/** What a pick with its start and finish may take, in ns of CPU time, and whether that may not grow with n. */
export const LIMITS: Readonly<Record<PickerName, { readonly ns: number; readonly constant: boolean }>> = {
  'round-robin': { ns: 60, constant: true },
  random: { ns: 60, constant: true },
  'least-pending': { ns: 60, constant: true },
  'power-of-two': { ns: 60, constant: true },
  'peak-ewma': { ns: 120, constant: true },
  'weighted-round-robin': { ns: 120, constant: false },
  'ring-hash': { ns: 250, constant: true },
  maglev: { ns: 250, constant: true },
};

/** What a pick was measured to take in a set of n: medians over the quieter half of the rounds, in ns. */
export interface PickCost {
  readonly n: number;
  /** A turn of the loop with the picker in it. */
  readonly gross: number;
  /** A turn of the same loop without the picker. */
  readonly empty: number;
  /** The median of their differences, round by round. */
  readonly net: number;
}

/** What a change of a table of n was measured to take, in microseconds. */
export interface TableChange {
  readonly n: number;
  readonly us: number;
}
