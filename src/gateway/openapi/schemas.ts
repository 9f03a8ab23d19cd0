import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt';
import { commentOn } from '../descriptors/comments.js';
import type { JsonOptions } from '../json/options.js';

/** A JSON Schema, of the dialect of OpenAPI 3.1. */
export type Schema = { readonly [keyword: string]: unknown };

const INT32 = { type: 'integer', format: 'int32' };
const UINT32 = { type: 'integer', format: 'uint32', minimum: 0 };
const INT64 = { type: 'string', format: 'int64' };
const UINT64 = { type: 'string', format: 'uint64' };

/** The canonical JSON of scalars (protobuf.dev/programming-guides/json): 64-bit integers are strings, bytes base64. */
const SCALARS: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
  [ScalarType.INT64]: INT64,
  [ScalarType.SINT64]: INT64,
  [ScalarType.SFIXED64]: INT64,
  [ScalarType.UINT64]: UINT64,
  [ScalarType.FIXED64]: UINT64,
  [ScalarType.INT32]: INT32,
  [ScalarType.SINT32]: INT32,
  [ScalarType.SFIXED32]: INT32,
  [ScalarType.UINT32]: UINT32,
  [ScalarType.FIXED32]: UINT32,
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
};

const WELL_KNOWN: ReadonlyMap<string, Schema> = new Map(
  Object.entries<Schema>({
    Timestamp: { type: 'string', format: 'date-time' },
    Duration: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', examples: ['1.5s'] },
    FieldMask: { type: 'string', examples: ['user.displayName,photo'] },
    Struct: { type: 'object', additionalProperties: true },
    Value: {},
    ListValue: { type: 'array', items: {} },
    Any: {
      type: 'object',
      properties: { '@type': { type: 'string' } },
      required: ['@type'],
      additionalProperties: true,
    },
  }),
);

/** The schemas of messages and enums, each by its full name, made as they are asked for. */
export class Schemas {
  /** What stands under `components.schemas`. */
  readonly components = new Map<string, Schema>();

  constructor(private readonly json: JsonOptions) {}

  ofMessage(message: DescMessage): Schema {
    const { typeName } = message;
    const [, wellKnown] = /^google\.protobuf\.(\w+)$/.exec(typeName) ?? [];
    if (wellKnown !== undefined) {
      const schema = WELL_KNOWN.get(wellKnown);
      if (schema !== undefined) return schema;
      const wrapped = wellKnown.endsWith('Value') ? message.fields[0]?.scalar : undefined;
      if (wrapped !== undefined) return { ...SCALARS[wrapped], type: [SCALARS[wrapped].type, 'null'] };
    }
    return this.#component(typeName, () => this.#object(message));
  }

  ofField(field: DescField): Schema {
    switch (field.fieldKind) {
      case 'list':
        return { type: 'array', items: this.#value(field) };
      case 'map':
        return { type: 'object', additionalProperties: this.#value(field) };
      default:
        return this.#value(field);
    }
  }

  #value({ scalar, enum: enumeration, message }: DescField): Schema {
    if (scalar !== undefined) return SCALARS[scalar];
    return enumeration === undefined ? this.ofMessage(message!) : this.#ofEnum(enumeration);
  }

  #ofEnum(enumeration: DescEnum): Schema {
    if (enumeration.typeName === 'google.protobuf.NullValue') return { type: 'null' };
    return this.#component(enumeration.typeName, () => {
      const { values } = enumeration;
      const described = annotations(enumeration);
      return this.json.enumAsInteger
        ? { type: 'integer', enum: [...new Set(values.map(({ number }) => number))], ...described }
        : { type: 'string', enum: values.map(({ name }) => name), ...described };
    });
  }

  #object(message: DescMessage): Schema {
    const named = (field: DescField) => (this.json.useProtoFieldName ? field.name : field.jsonName);
    const required = message.fields
      .filter(({ presence }) => presence === Presence.LEGACY_REQUIRED)
      .map(named);
    return {
      type: 'object',
      ...annotations(message),
      properties: Object.fromEntries(
        // Beside a $ref, OpenAPI 3.1 takes other keywords.
        message.fields.map((field) => [named(field), { ...this.ofField(field), ...annotations(field) }]),
      ),
      ...(required.length > 0 && { required }),
    };
  }

  #component(name: string, make: () => Schema): Schema {
    if (!this.components.has(name)) {
      // Its place is taken before it is made: messages may hold themselves.
      this.components.set(name, {});
      this.components.set(name, make());
    }
    return { $ref: `#/components/schemas/${name}` };
  }
}

function annotations(declaration: DescMessage | DescEnum | DescField): Schema {
  const description = commentOn(declaration);
  return { ...(description !== '' && { description }), ...(declaration.deprecated && { deprecated: true }) };
}
