import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonReadOptions,
  type JsonValue,
  type Message,
  mergeFromJson,
  type Registry,
  toBinary,
} from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { asError } from '../../base/errors.js';
import { badRequest, RequestError } from '../base/request-error.js';
import { maskOf } from '../json/field-mask.js';
import { chainName } from '../json/fields.js';
import { MAX_NESTING, nesting } from '../json/nesting.js';
import type { JsonOptions } from '../json/options.js';
import { checkJson, parseJson } from '../json/parse.js';
import { jsonKind } from '../json/well-known.js';
import { httpBodyMessage, isHttpBody, type RawBody } from './http-body.js';
import type { Binding, BoundVariable } from './http-rule.js';
import { type PathTemplate, placeOf } from './path-template.js';
import { addParameters, addText, emptyFields, type JsonFields, parseQuery } from './query.js';

/** The requests of a binding, serialized for a server. */
export class Requests {
  /** Bodies are taken as they are, not as JSON. */
  readonly raw: boolean;
  readonly #binding: Binding;
  readonly #types: Registry;
  readonly #read: Partial<JsonReadOptions>;
  /** The field that says what a PATCH changes. */
  readonly #mask: DescField | undefined;

  constructor(binding: Binding, types: Registry, { unknownFields = 'ignore' }: JsonOptions) {
    const { body, method } = binding;
    this.#binding = binding;
    this.#types = types;
    this.#read = { registry: types, ignoreUnknownFields: unknownFields === 'ignore' };
    this.raw = body !== 'none' && isHttpBody(body === 'all' ? method.input : messageOf(body));
    this.#mask = maskFieldOf(binding);
  }

  /**
   * A request as the function of its body that is left once path and query are known.
   *
   * @param segments - those that the path was matched with.
   * @param query - what follows the `?`; '' for nothing.
   * @throws RequestError 400, naming the field or the parameter.
   */
  request(segments: readonly string[], query: string): (body: string | RawBody) => Buffer {
    const { variables } = this.#binding;
    // With nothing in the path and the query but what may be there in vain, all is in the body.
    const fromUrl = variables.length === 0 && query === '' ? undefined : this.#fromUrl(segments, query);
    return (body) => this.#serialized(body, fromUrl);
  }

  #fromUrl(segments: readonly string[], query: string): JsonFields {
    const json = emptyFields();
    const refuseUnknown = this.#read.ignoreUnknownFields === false;
    if (query !== '') addParameters(this.#binding, parseQuery(query), refuseUnknown, json);
    for (const variable of this.#binding.variables) {
      addText(json, variable.chain, captured(variable, this.#binding.template, segments));
    }
    return json;
  }

  #serialized(body: string | RawBody, fromUrl: JsonFields | undefined): Buffer {
    const { input } = this.#binding.method;
    try {
      const { message, deep, mask } = this.#fromBody(body);
      // Over what the body says: the path is what was asked for.
      if (fromUrl !== undefined)
        mergeFromJson(input, message, checkJson(input, fromUrl, this.#types), this.#read);
      if (mask !== undefined) this.#fillMask(message, mask);
      const bytes = toBinary(input, message);
      if (deep) assertReadable(input, bytes);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if (error instanceof RequestError) throw error;
      throw badRequest(asError(error).message);
    }
  }

  #fromBody(content: string | RawBody): Parsed {
    const { body, method } = this.#binding;
    const { input } = method;
    const field = body === 'all' || body === 'none' ? undefined : body;
    if (typeof content !== 'string') return { message: httpBodyMessage(input, field, content), deep: false };
    if (body === 'none' || /^\s*$/.test(content)) return { message: create(input), deep: false };
    const depth = content.length > DEEP ? nesting(content) : 0;
    if (depth > MAX_NESTING) {
      throw badRequest(`the body nests ${depth} deep, past the recursion limit of ${MAX_NESTING}`);
    }
    const json = parseJson(content, input, this.#types, field);
    // Nothing is what an empty message has. To a Value, say, null is a value.
    const isNothing = json === null && jsonKind(input) === 'plain';
    return {
      message: isNothing ? create(input) : fromJson(input, json, this.#read),
      deep: depth > DEEP,
      ...(this.#mask !== undefined && { mask: this.#maskOf(json, field!) }),
    };
  }

  #maskOf(json: JsonValue, field: DescField): readonly string[] {
    const value = (json as JsonFields)[field.jsonName];
    return value === undefined ? [] : maskOf(field.message!, value);
  }

  #fillMask(message: Message, paths: readonly string[]): void {
    const field = this.#mask!;
    const whole = reflect(this.#binding.method.input, message);
    const given = whole.isSet(field) ? (whole.get(field) as ReflectMessage) : undefined;
    const pathsOf = field.message!.fields[0]!;
    if (paths.length === 0 || given?.isSet(pathsOf)) return;
    whole.set(field, reflect(field.message!, create(field.message!, { paths: [...paths] })));
  }
}

interface Parsed {
  readonly message: Message;
  /** It nests so deep in JSON that servers may not read it. */
  readonly deep: boolean;
  /** What the body has, for a PATCH that does not say what it changes. */
  readonly mask?: readonly string[];
}

/** JSON that nests no deeper cannot be too deep for a server: a struct in a struct takes three messages. */
const DEEP = 32;

/**
 * Servers read messages of a hundred levels. One that does not read a request says that the fault is its own, and would be taken
 * for a bad one.
 *
 * @throws Error for a message that nests deeper than that.
 */
function assertReadable(input: DescMessage, bytes: Uint8Array): void {
  fromBinary(input, bytes, { readUnknownFields: false });
}

function messageOf(field: DescField): DescMessage | undefined {
  return field.fieldKind === 'message' ? field.message : undefined;
}

/**
 * The field that says what a PATCH whose body is a field changes: when nobody says so, what is in the body is changed. grpc-gateway
 * takes any field mask that is the only one; this is the one that AIP-134 has for it.
 */
function maskFieldOf({ httpMethod, body, method }: Binding): DescField | undefined {
  if (httpMethod !== 'PATCH' || body === 'all' || body === 'none' || messageOf(body) === undefined) {
    return undefined;
  }
  return method.input.fields.find(
    (field) => field.name === 'update_mask' && messageOf(field)?.typeName === 'google.protobuf.FieldMask',
  );
}

/** The text that a variable of the path has caught. */
function captured(variable: BoundVariable, template: PathTemplate, segments: readonly string[]): string {
  const [from, to] = placeOf(variable, template, segments.length);
  try {
    if (variable.single) return decodeURIComponent(segments[from]!);
    return decodedButSlashes(segments.slice(from, to).join('/'));
  } catch {
    throw badRequest(`the path gives ${chainName(variable.chain)} as what is no percent-encoded UTF-8`);
  }
}

/** Of several segments, `%2F` and `%2f` stay as they are: they are not the slashes between segments. */
function decodedButSlashes(text: string): string {
  return text
    .split(/(%2f)/i)
    .map((part, i) => (i % 2 === 0 ? decodeURIComponent(part) : part))
    .join('');
}
