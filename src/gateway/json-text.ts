import { type DescMessage, type JsonValue, ScalarType } from '@bufbuild/protobuf';
import { badRequest } from './errors.js';

/** Digits that a double may not hold: 2^53 has 16. */
const MANY_DIGITS = /\d{16}/;
/** The strings and numbers of a JSON text. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/**
 * Parses the JSON of a message. An integer that a double cannot hold is kept as a string, which the JSON mapping takes
 * for one as well: `JSON.parse` would round it, and a 64-bit id would silently become another.
 *
 * @throws RequestError 400 for what is not JSON; and for such an integer in a message with 64-bit fields in one place, and a
 *   `google.protobuf.Value` in another, where a number and a string are not the same.
 */
export function parseJson(text: string, message: DescMessage): JsonValue {
  const json = parse(text);
  if (!MANY_DIGITS.test(text)) return json;
  let found: string | undefined;
  const quoted = text.replace(TOKENS, (token) => {
    if (!INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
    found ??= token;
    return `"${token}"`;
  });
  if (found === undefined) return json;
  const { longs, free } = numbersIn(message);
  if (!longs) return json;
  if (!free) return parse(quoted);
  throw badRequest(`the number ${found} is beyond 2^53 and would be rounded: send it as a string`);
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw badRequest(`the body is not JSON: ${(error as Error).message}`);
  }
}

/** What numbers the JSON of a message may hold. */
interface Numbers {
  /** Integers of 64 bits. */
  readonly longs: boolean;
  /** Numbers at places of which no descriptor says what they are. */
  readonly free: boolean;
}

const LONGS = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);
/** Their JSON is text. */
const NO_NUMBERS = wellKnown('Timestamp', 'Duration', 'FieldMask');
const FREE = wellKnown('Value', 'Struct', 'ListValue', 'Any');
/** An `Any` may be of every type there is. */
const ANY = wellKnown('Any');

function wellKnown(...names: string[]): ReadonlySet<string> {
  return new Set(names.map((name) => `google.protobuf.${name}`));
}

const numbers = new WeakMap<DescMessage, Numbers>();

function numbersIn(message: DescMessage): Numbers {
  const known = numbers.get(message);
  if (known !== undefined) return known;
  // A set grows while it is gone through: this visits every message that is held, once.
  const held = new Set([message]);
  let longs = false;
  for (const { typeName, fields } of held) {
    longs ||= ANY.has(typeName) || fields.some(({ scalar }) => scalar !== undefined && LONGS.has(scalar));
    for (const { message: inner } of fields) {
      if (inner !== undefined && !NO_NUMBERS.has(inner.typeName)) held.add(inner);
    }
  }
  const found = { longs, free: [...held].some(({ typeName }) => FREE.has(typeName)) };
  numbers.set(message, found);
  return found;
}
