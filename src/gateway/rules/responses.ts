import {
  create,
  type DescField,
  fromBinary,
  type JsonValue,
  type JsonWriteOptions,
  type Message,
  type Registry,
  toJson,
} from '@bufbuild/protobuf';
import { asError, Status } from '../../base/errors.js';
import { RequestError } from '../base/request-error.js';
import { shortFloats } from '../json/floats.js';
import type { JsonOptions } from '../json/options.js';
import { isHttpBody, type RawBody, rawBodyOf } from './http-body.js';
import type { Binding } from './http-rule.js';

/** What a binding's responses, as bytes of a server, are to a client. */
export class Responses {
  /** They are bodies as they are, not JSON. */
  readonly raw: boolean;
  readonly #binding: Binding;
  readonly #shortFloats: ((json: JsonValue) => JsonValue) | undefined;
  readonly #write: Partial<JsonWriteOptions>;
  /** For messages that lack the field that is the response body. */
  readonly #emptyBody: string;

  constructor(binding: Binding, types: Registry, { unknownFields: _, ...write }: JsonOptions) {
    const { method, responseBody } = binding;
    this.#binding = binding;
    this.raw = isHttpBody(responseBody === undefined ? method.output : singleMessage(responseBody));
    this.#shortFloats = shortFloats(method.output, types);
    this.#write = { registry: types, ...write };
    this.#emptyBody = emptyBody(binding, write);
  }

  /**
   * The text of a response's JSON.
   *
   * @throws RequestError 500 for bytes that are no message, and for a message that has no JSON: with an `Any` of a type that
   *   nobody knows, say.
   */
  json(bytes: Uint8Array): string {
    const { method, responseBody } = this.#binding;
    const message = this.#read(bytes);
    let json: JsonValue;
    try {
      json = toJson(method.output, message, this.#write);
      if (this.#shortFloats !== undefined) json = this.#shortFloats(json);
    } catch (error) {
      throw unreadable(`the response cannot be written as JSON: ${asError(error).message}`);
    }
    if (responseBody === undefined) return JSON.stringify(json);
    const value = member(json, responseBody, this.#write);
    return value === undefined ? this.#emptyBody : JSON.stringify(value);
  }

  /**
   * A response that is a body as it is.
   *
   * @throws RequestError 500 for bytes that are no message.
   */
  body(bytes: Uint8Array): RawBody {
    const { method, responseBody } = this.#binding;
    return rawBodyOf(method.output, responseBody, this.#read(bytes));
  }

  #read(bytes: Uint8Array): Message {
    try {
      // Extensions are among the unknown fields until somebody asks for them.
      return fromBinary(this.#binding.method.output, bytes);
    } catch (error) {
      throw unreadable(`the response cannot be read: ${asError(error).message}`);
    }
  }
}

function unreadable(message: string): RequestError {
  return new RequestError(500, Status.INTERNAL, message);
}

function singleMessage(field: DescField) {
  return field.fieldKind === 'message' ? field.message : undefined;
}

/** What a response body is whose field is not in the JSON of the response: the field's default. */
function emptyBody({ method, responseBody }: Binding, write: Partial<JsonWriteOptions>): string {
  if (responseBody === undefined) return '';
  let defaults: JsonValue;
  try {
    defaults = toJson(method.output, create(method.output), { ...write, alwaysEmitImplicit: true });
  } catch {
    // With fields that are required there is no empty message, and so none without the body.
    return 'null';
  }
  return JSON.stringify(member(defaults, responseBody, write) ?? null);
}

function member(
  json: JsonValue,
  { name, jsonName }: DescField,
  { useProtoFieldName = false }: Partial<JsonWriteOptions>,
): JsonValue | undefined {
  const key = useProtoFieldName ? name : jsonName;
  return Object.hasOwn(json as object, key) ? (json as Readonly<Record<string, JsonValue>>)[key] : undefined;
}
