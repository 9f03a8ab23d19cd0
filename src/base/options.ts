import { BalancerError } from './errors.js';

/** What a number must be to be taken. */
export interface NumberRange {
  readonly min: number;
  /** Default: no bound, and `Infinity` itself is no number to be taken. */
  readonly max?: number;
  /** Default false. */
  readonly integer?: boolean;
}

/**
 * The value itself, when it is a number in the range.
 *
 * @throws {@link BalancerError} INVALID_OPTION, naming the option, the value and what it must be.
 */
export function numberOption(
  name: string,
  value: number,
  { min, max, integer = false }: NumberRange,
): number {
  const isNumber =
    typeof value === 'number' &&
    (integer ? Number.isInteger(value) : Number.isFinite(value) || value === max);
  if (isNumber && value >= min && (max === undefined || value <= max)) return value;
  const kind = integer ? 'an integer' : 'a number';
  const range = max === undefined ? `of ${min} or more` : `from ${min} to ${max}`;
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  throw new BalancerError('INVALID_OPTION', `${name} is ${shown}, and must be ${kind} ${range}`);
}
