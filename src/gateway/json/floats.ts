import { type DescMessage, type JsonValue, type Registry, ScalarType } from '@bufbuild/protobuf';
import { type Change, changeJson, mayHold } from './places.js';

/**
 * Writes `float` fields with the fewest digits that mean the same float, as the JSON of other languages has them: 0.1, where
 * JavaScript knows the double 0.10000000149011612 only.
 *
 * @returns the function of a message's JSON that does so; undefined for a message that cannot hold any.
 */
export function shortFloats(
  message: DescMessage,
  types: Registry,
): ((json: JsonValue) => JsonValue) | undefined {
  return mayHold(message, ScalarType.FLOAT) ? (json) => changeJson(message, json, types, short) : undefined;
}

const short: Change = (value, { type }) =>
  type === ScalarType.FLOAT && typeof value === 'number' ? shortest(value) : value;

/** Nine digits tell every float from every other. */
const MAX_DIGITS = 9;

function shortest(value: number): number {
  for (let digits = 1; digits < MAX_DIGITS; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return Number(value.toPrecision(MAX_DIGITS));
}
