import {
  create,
  type DescField,
  fromJson,
  type JsonReadOptions,
  type JsonValue,
  type JsonWriteOptions,
  type Message,
  mergeFromJson,
  type Registry,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { asError, Status } from '../../base/errors.js';
import { badRequest, RequestError } from '../base/request-error.js';
import { chainName } from '../json/fields.js';
import { shortFloats } from '../json/floats.js';
import type { JsonOptions } from '../json/options.js';
import { checkJson, parseJson } from '../json/parse.js';
import type { Binding, BoundVariable } from './http-rule.js';
import { addParameters, addText, parseQuery } from './query.js';

/** The JSON of a binding's requests and responses. */
export class Transcoder {
  readonly #binding: Binding;
  readonly #types: Registry;
  readonly #shortFloats: ((json: JsonValue) => JsonValue) | undefined;
  readonly #read: Partial<JsonReadOptions>;
  readonly #write: Partial<JsonWriteOptions>;
  /** For messages that lack the field that is the response body. */
  readonly #emptyBody: string;

  constructor(binding: Binding, types: Registry, { unknownFields = 'ignore', ...write }: JsonOptions) {
    this.#binding = binding;
    this.#types = types;
    this.#shortFloats = shortFloats(binding.method.output, types);
    this.#read = { registry: types, ignoreUnknownFields: unknownFields === 'ignore' };
    this.#write = { registry: types, ...write };
    this.#emptyBody = emptyBody(binding, write);
  }

  /**
   * A request, serialized, as the function of its body that is left once path and query are known.
   *
   * @param segments - those that the path was matched with.
   * @param query - what follows the `?`; '' for nothing.
   * @throws RequestError 400, naming the field or the parameter.
   */
  request(segments: readonly string[], query: string): (body: string) => Buffer {
    const { variables } = this.#binding;
    // With nothing in the path and the query but what may be there in vain, all is in the body.
    const fromUrl = variables.length === 0 && query === '' ? undefined : this.#fromUrl(segments, query);
    return (body) => this.#serialized(body, fromUrl);
  }

  /**
   * A response as the text of its JSON.
   *
   * @throws RequestError 500 for one that has none: with an `Any` of a type that nobody knows, say.
   */
  response(message: Message): string {
    const { method, responseBody } = this.#binding;
    let json: JsonValue;
    try {
      json = toJson(method.output, message, this.#write);
      if (this.#shortFloats !== undefined) json = this.#shortFloats(json);
    } catch (error) {
      const reason = `the response cannot be written as JSON: ${asError(error).message}`;
      throw new RequestError(500, Status.INTERNAL, reason);
    }
    if (responseBody === undefined) return JSON.stringify(json);
    const value = member(json, responseBody, this.#write);
    return value === undefined ? this.#emptyBody : JSON.stringify(value);
  }

  #fromUrl(segments: readonly string[], query: string): Record<string, JsonValue> {
    const json: Record<string, JsonValue> = {};
    const refuseUnknown = this.#read.ignoreUnknownFields === false;
    if (query !== '') addParameters(this.#binding, parseQuery(query), refuseUnknown, json);
    for (const variable of this.#binding.variables) {
      addText(json, variable.chain, captured(variable, segments));
    }
    return json;
  }

  #serialized(body: string, fromUrl: JsonValue | undefined): Buffer {
    const { input } = this.#binding.method;
    try {
      const message = this.#fromBody(body);
      // Over what the body says: the path is what was asked for.
      if (fromUrl !== undefined)
        mergeFromJson(input, message, checkJson(input, fromUrl, this.#types), this.#read);
      const bytes = toBinary(input, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if (error instanceof RequestError) throw error;
      throw badRequest(asError(error).message);
    }
  }

  #fromBody(text: string): Message {
    const { body, method } = this.#binding;
    const { input } = method;
    if (body === 'none' || /^\s*$/.test(text)) return create(input);
    const field = body === 'all' ? undefined : body;
    return fromJson(input, parseJson(text, input, this.#types, field), this.#read);
  }
}

/** The text that a variable of the path has caught. */
function captured({ start, end, single, chain }: BoundVariable, segments: readonly string[]): string {
  try {
    if (single) return decodeURIComponent(segments[start]!);
    return decodedButSlashes(segments.slice(start, end).join('/'));
  } catch {
    throw badRequest(`the path gives ${chainName(chain)} as what is no percent-encoded UTF-8`);
  }
}

/** Of several segments, `%2F` and `%2f` stay as they are: they are not the slashes between segments. */
function decodedButSlashes(text: string): string {
  return text
    .split(/(%2f)/i)
    .map((part, i) => (i % 2 === 0 ? decodeURIComponent(part) : part))
    .join('');
}

/** What a response body is whose field is not in the JSON of the response: the field's default. */
function emptyBody({ method, responseBody }: Binding, write: Partial<JsonWriteOptions>): string {
  if (responseBody === undefined) return '';
  const defaults = toJson(method.output, create(method.output), { ...write, alwaysEmitImplicit: true });
  return JSON.stringify(member(defaults, responseBody, write) ?? null);
}

function member(
  json: JsonValue,
  { name, jsonName }: DescField,
  { useProtoFieldName = false }: Partial<JsonWriteOptions>,
): JsonValue | undefined {
  return (json as Readonly<Record<string, JsonValue>>)[useProtoFieldName ? name : jsonName];
}
