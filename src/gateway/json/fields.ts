import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';
import { badRequest } from '../base/request-error.js';
import { jsonKind } from './well-known.js';

/** Fields by the name in the proto and by the one in JSON; the former goes first. */
const fieldsByName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The field of a message that is called `name`, in the proto or in JSON. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  let fields = fieldsByName.get(message);
  if (fields === undefined) {
    fields = new Map([
      ...message.fields.map((field) => [field.jsonName, field] as const),
      ...message.fields.map((field) => [field.name, field] as const),
    ]);
    fieldsByName.set(message, fields);
  }
  return fields.get(name);
}

/** The fields that a path such as `['message', 'id']` names, from the outermost inwards. */
export type FieldChain = readonly DescField[];

/** A path that names no field. */
export interface NoField {
  /** In words. */
  readonly why: string;
  /** The path goes on behind a list or a map, of which it cannot say which element it means. */
  readonly intoMany: boolean;
}

/** Follows a field path into a message. */
export function followPath(message: DescMessage, path: readonly string[]): FieldChain | NoField {
  const chain: DescField[] = [];
  let within: DescMessage | undefined = message;
  for (const name of path) {
    const field: DescField | undefined = within && fieldNamed(within, name);
    if (field === undefined) {
      const last = chain.at(-1);
      const inWhat: string = within?.typeName ?? `${last?.name}, which is not a message`;
      const intoMany = within === undefined && (last?.fieldKind === 'list' || last?.fieldKind === 'map');
      return { why: `there is no field ${JSON.stringify(name)} in ${inWhat}`, intoMany };
    }
    chain.push(field);
    within = field.fieldKind === 'message' && jsonKind(field.message) === 'plain' ? field.message : undefined;
  }
  return chain;
}

/** Whether a path was followed to its end. */
export function isChain(followed: FieldChain | NoField): followed is FieldChain {
  return !('why' in followed);
}

/** The name of a chain in the words of the proto: `message.id`. */
export function chainName(chain: FieldChain): string {
  return chain.map(({ name }) => name).join('.');
}

/** Well-known types whose JSON is one string, number or boolean: they stand where a primitive may. */
function isTextual(message: DescMessage): boolean {
  const kind = jsonKind(message);
  return kind === 'timestamp' || kind === 'text' || kind === 'wrapper';
}

/** What text in a URL may stand for: a primitive value or a list of them; undefined for any other field. */
export function textKind(field: DescField): 'single' | 'list' | undefined {
  switch (field.fieldKind) {
    case 'scalar':
    case 'enum':
      return 'single';
    case 'message':
      return isTextual(field.message) ? 'single' : undefined;
    case 'list':
      return field.listKind === 'message' && !isTextual(field.message) ? undefined : 'list';
    case 'map':
      return undefined;
  }
}

/**
 * Text from a URL as the JSON that the protobuf mapping reads. It takes numbers as strings already; booleans it takes as such
 * only, and enums as strings by their names only. Field masks may be written as the proto has the names, too.
 *
 * @throws RequestError 400 for an enum value that nobody knows: the mapping may ignore it, and a request for one thing would be
 *   taken for one for another.
 */
export function textToJson(field: DescField, text: string): JsonValue {
  const { message, enum: enumeration } = field;
  if (enumeration !== undefined) return enumJson(field, enumeration, text);
  if (message?.typeName === 'google.protobuf.FieldMask') {
    return text.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  }
  const scalar = message === undefined ? field.scalar : message.fields[0]?.scalar;
  return scalar === ScalarType.BOOL ? (BOOLEANS.get(text) ?? text) : text;
}

function enumJson(field: DescField, { values, open }: DescEnum, text: string): JsonValue {
  if (values.some(({ name }) => name === text)) return text;
  const isNumber = /^-?\d{1,10}$/.test(text);
  if (isNumber && (open || values.some((value) => value.number === Number(text)))) return Number(text);
  throw badRequest(`${field.parent.typeName}.${field.name} has no value ${JSON.stringify(text)}`);
}

/** As Go's strconv.ParseBool has them, which grpc-gateway reads them with. */
const BOOLEANS = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
]);
