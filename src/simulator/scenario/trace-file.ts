import { readFileSync } from 'node:fs';
import { asError } from '../../base/errors.js';
import { wrong } from './wrong.js';

/**
 * The numbers in a text file: one a line, 0 or more. Empty lines, and those that begin with #, are skipped.
 *
 * @param field - of the scenario, that names the file.
 * @throws BalancerError INVALID_OPTION, naming the file and the line.
 */
export function readTrace(path: string, field: string): Float64Array {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    throw wrong(field, `cannot be read: ${asError(thrown).message}`);
  }
  const numbers: number[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const number = Number(trimmed);
    if (!(Number.isFinite(number) && number >= 0)) {
      const what = 'is not a number of 0 or more, and the file must have one a line';
      throw wrong(field, `${path}:${i + 1}: ${JSON.stringify(trimmed.slice(0, 40))} ${what}`);
    }
    numbers.push(number);
  }
  if (numbers.length === 0) throw wrong(field, `${path} has no number in it`);
  return Float64Array.from(numbers);
}
