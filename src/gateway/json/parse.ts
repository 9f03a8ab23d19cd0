import {
  type DescField,
  type DescMessage,
  type JsonValue,
  type Registry,
  ScalarType,
} from '@bufbuild/protobuf';
import { badRequest } from '../base/request-error.js';
import { type Change, changeJson, type Place } from './places.js';

/** Digits that a double may not hold: 2^53 has 16. */
const MANY_DIGITS = /\d{16}/;
/** The strings and numbers of a JSON text. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

const LONGS: ReadonlySet<Place['type']> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);
const NUMBERS: ReadonlySet<Place['type']> = new Set([
  ...LONGS,
  ScalarType.INT32,
  ScalarType.UINT32,
  ScalarType.SINT32,
  ScalarType.FIXED32,
  ScalarType.SFIXED32,
  ScalarType.DOUBLE,
  ScalarType.FLOAT,
]);

/**
 * Parses the JSON of a message. An integer of 64 bits that a double cannot hold is kept as a string, which the JSON mapping
 * takes for one as well: `JSON.parse` would round it, and an id would silently become another.
 *
 * @param types - of what is in an `Any`.
 * @param field - whose JSON the text is, when it is not that of the whole message.
 * @returns the JSON of the message.
 * @throws RequestError 400 for what is not JSON, and what {@link checkJson} refuses.
 */
export function parseJson(
  text: string,
  message: DescMessage,
  types: Registry,
  field: DescField | undefined,
): JsonValue {
  const whole = (value: JsonValue) => (field === undefined ? value : { [field.jsonName]: value });
  let json = whole(parse(text));
  if (MANY_DIGITS.test(text)) {
    let any = false;
    const quoted = text.replace(TOKENS, (token) => {
      if (!INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
      any = true;
      return `"${token}"`;
    });
    if (any) json = changeJson(message, json, types, exact, whole(parse(quoted)));
  }
  return DOUBTFUL.test(text) ? checkJson(message, json, types) : json;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw badRequest(`the body is not JSON: ${(error as Error).message}`);
  }
}

const exact: Change = (value, { type }, quoted) =>
  typeof value === 'number' && typeof quoted === 'string' && LONGS.has(type) ? quoted : value;

/** What {@link checkJson} might refuse, wherever it stands in the text: most texts have nothing of it. */
const DOUBTFUL = /-(?:0[2469]|11)-(?:29|3[01])|[Tt]24:|"\s*[-+]?0[xXoObB]/;

/**
 * Refuses what the JSON mapping takes for something else: days that no calendar has, of which it makes other days, and
 * numbers in hexadecimal and the like, which are JavaScript's.
 *
 * @returns the JSON.
 * @throws RequestError 400 that names the field.
 */
export function checkJson(message: DescMessage, json: JsonValue, types: Registry): JsonValue {
  return changeJson(message, json, types, checked);
}

const checked: Change = (value, { type, name }) => {
  if (typeof value !== 'string') return value;
  const wrong =
    type === 'timestamp' ? !isOnCalendar(value) : NUMBERS.has(type) && /^\s*[-+]?0[xXoObB]/.test(value);
  if (!wrong) return value;
  const what = type === 'timestamp' ? 'a time that there is' : 'a decimal number';
  throw badRequest(`cannot decode field ${name} from JSON: ${JSON.stringify(value)} is not ${what}`);
};

/** Whether a timestamp has a day that there is, and an hour below 24. What has another form is for others to refuse. */
function isOnCalendar(text: string): boolean {
  const [, day, hour] = /^(\d{4}-\d\d-\d\d)[Tt](\d\d):/.exec(text) ?? [];
  if (day === undefined) return true;
  const time = Date.parse(`${day}T00:00:00Z`);
  return hour !== '24' && (Number.isNaN(time) || new Date(time).toISOString().startsWith(day));
}
