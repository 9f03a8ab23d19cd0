import type { DescMessage } from '@bufbuild/protobuf';

/**
 * What the JSON of a message is: an object of its fields, or, of the well-known types, a text (`timestamp` is one, too), the one
 * value that a wrapper wraps, what an `Any` holds, or any JSON there is.
 */
export type JsonKind = 'plain' | 'timestamp' | 'text' | 'wrapper' | 'any' | 'free';

const KINDS: ReadonlyMap<string, JsonKind> = new Map([
  ...named('timestamp', 'Timestamp'),
  ...named('text', 'Duration', 'FieldMask'),
  ...named('wrapper', 'DoubleValue', 'FloatValue', 'Int64Value', 'UInt64Value', 'Int32Value', 'UInt32Value'),
  ...named('wrapper', 'BoolValue', 'StringValue', 'BytesValue'),
  ...named('any', 'Any'),
  ...named('free', 'Struct', 'Value', 'ListValue'),
]);

function named(kind: JsonKind, ...names: string[]): [string, JsonKind][] {
  return names.map((name) => [`google.protobuf.${name}`, kind]);
}

export function jsonKind({ typeName }: DescMessage): JsonKind {
  return KINDS.get(typeName) ?? 'plain';
}
