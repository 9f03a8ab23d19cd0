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
  throw new BalancerError('INVALID_OPTION', `${name} is ${shown(value)}, and must be ${kind} ${range}`);
}

/**
 * The value itself, when it is an object; with `known`, one that has no other names than these.
 *
 * @throws {@link BalancerError} INVALID_OPTION, naming what was given, and for an unknown name the nearest that there is.
 */
export function objectOption<T extends object>(
  name: string,
  value: T,
  known?: Readonly<Record<keyof T & string, true>>,
): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BalancerError('INVALID_OPTION', `${name} is ${shown(value)}, and must be an object`);
  }
  if (known === undefined) return value;
  for (const given of Object.keys(value)) {
    if (Object.hasOwn(known, given)) continue;
    const names = Object.keys(known);
    const nearest = nearestOf(given, names);
    const cure = nearest === undefined ? `there are ${names.join(', ')}` : `did you mean ${nearest}?`;
    throw new BalancerError('INVALID_OPTION', `${name}: no option is called ${shown(given)}; ${cure}`);
  }
  return value;
}

/** @throws {@link BalancerError} INVALID_OPTION for what is no string, and for an empty one that is not allowed to be. */
export function stringOption(name: string, value: string, { empty = false } = {}): string {
  if (typeof value === 'string' && (empty || value !== '')) return value;
  const kind = empty ? 'a string' : 'a string that is not empty';
  throw new BalancerError('INVALID_OPTION', `${name} is ${shown(value)}, and must be ${kind}`);
}

/** @throws {@link BalancerError} INVALID_OPTION for what is neither true nor false. */
export function booleanOption(name: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value;
  throw new BalancerError('INVALID_OPTION', `${name} is ${shown(value)}, and must be true or false`);
}

/** @throws {@link BalancerError} INVALID_OPTION for what cannot be called. */
export function functionOption<F>(name: string, value: F): F {
  if (typeof value === 'function') return value;
  throw new BalancerError('INVALID_OPTION', `${name} is ${shown(value)}, and must be a function`);
}

/** Longer than this, a value in a message helps nobody. */
const MAX_SHOWN = 60;

/** A value as an error shows it: strings in quotes, objects by what they are, never in full. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, MAX_SHOWN));
  if (typeof value === 'function') return `a function`;
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** The name that a typing error most likely meant: the one that takes the fewest edits, three at the most. */
function nearestOf(given: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = 4;
  for (const name of names) {
    if (Math.abs(name.length - given.length) >= fewest) continue;
    const edits = editsBetween(given.toLowerCase(), name.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      nearest = name;
    }
  }
  return nearest;
}

/** Levenshtein's distance, row by row (Wagner and Fischer, 1974). */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
