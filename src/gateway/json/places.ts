import type { DescField, DescMessage, JsonValue, Registry, ScalarType } from '@bufbuild/protobuf';
import { fieldNamed } from './fields.js';
import { jsonKind } from './well-known.js';

/** A place in the JSON of a message where there is one value whose type is known. */
export interface Place {
  readonly type: ScalarType | 'timestamp';
  /** The full name of the field, or of the message where it stands for itself. */
  readonly name: string;
}

/**
 * What becomes of the value at a place.
 *
 * @param twin - the value at the same place of the second JSON.
 */
export type Change = (value: JsonValue, place: Place, twin: JsonValue | undefined) => JsonValue;

/**
 * Goes through the JSON of a message, and changes it, where it has scalars and timestamps. What is not as the descriptors have
 * it is left as it is: the JSON mapping says what is wrong with it.
 *
 * @param types - of what is in an `Any`.
 * @param twin - another JSON of the same structure, gone through in step.
 * @returns the JSON; another value when the message is itself one, like a wrapper.
 */
export function changeJson(
  message: DescMessage,
  json: JsonValue,
  types: Registry,
  change: Change,
  twin?: JsonValue,
): JsonValue {
  const ofMessage = (desc: DescMessage, value: JsonValue, other: JsonValue | undefined, name: string) => {
    switch (jsonKind(desc)) {
      case 'timestamp':
        return change(value, { type: 'timestamp', name }, other);
      case 'wrapper':
        return change(value, { type: desc.fields[0]!.scalar!, name }, other);
      case 'any':
        ofAny(value, other);
        return value;
      case 'text':
      case 'free':
        return value;
      case 'plain':
        if (isObject(value)) {
          for (const key of Object.keys(value)) {
            const field = fieldNamed(desc, key);
            if (field !== undefined)
              replace(value, key, other, (held, twinHeld) => ofField(field, held, twinHeld));
          }
        }
        return value;
    }
  };
  const ofField = (field: DescField, value: JsonValue, other: JsonValue | undefined): JsonValue => {
    const single = field.fieldKind !== 'list' && field.fieldKind !== 'map';
    if (single) return ofValue(field, value, other);
    if (
      typeof value === 'object' &&
      value !== null &&
      Array.isArray(value) === (field.fieldKind === 'list')
    ) {
      for (const key of Object.keys(value))
        replace(value, key, other, (held, twinHeld) => ofValue(field, held, twinHeld));
    }
    return value;
  };
  const ofValue = (field: DescField, value: JsonValue, other: JsonValue | undefined): JsonValue => {
    const name = `${field.parent.typeName}.${field.name}`;
    if (field.message !== undefined) return ofMessage(field.message, value, other, name);
    return field.scalar === undefined ? value : change(value, { type: field.scalar, name }, other);
  };
  const ofAny = (value: JsonValue, other: JsonValue | undefined): void => {
    if (!isObject(value) || typeof value['@type'] !== 'string') return;
    const held = types.getMessage(value['@type'].slice(value['@type'].lastIndexOf('/') + 1));
    if (held === undefined) return;
    if (jsonKind(held) === 'plain') ofMessage(held, value, other, held.typeName);
    else if (value.value !== undefined) {
      replace(value, 'value', other, (inner, twinInner) => ofMessage(held, inner, twinInner, held.typeName));
    }
  };
  return ofMessage(message, json, twin, message.typeName);
}

/** Whether the JSON of a message may have scalars of a type anywhere; an `Any` may have any. */
export function mayHold(message: DescMessage, type: ScalarType): boolean {
  // A set grows while it is gone through: this visits every message that is held, once.
  const held = new Set([message]);
  for (const each of held) {
    const kind = jsonKind(each);
    if (kind === 'any') return true;
    if (kind === 'timestamp' || kind === 'text' || kind === 'free') continue;
    for (const { scalar, message: inner } of each.fields) {
      if (scalar === type) return true;
      if (inner !== undefined) held.add(inner);
    }
  }
  return false;
}

function isObject(value: JsonValue): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function replace(
  holder: object,
  key: string,
  twin: JsonValue | undefined,
  become: (value: JsonValue, twin: JsonValue | undefined) => JsonValue,
): void {
  const values = holder as Record<string, JsonValue>;
  const has = typeof twin === 'object' && twin !== null && Object.hasOwn(twin, key);
  values[key] = become(values[key]!, has ? (twin as Record<string, JsonValue>)[key] : undefined);
}
