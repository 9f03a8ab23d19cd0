import type { JsonValue } from '@bufbuild/protobuf';
import { badRequest } from '../base/request-error.js';
import {
  chainName,
  type FieldChain,
  fieldNamed,
  followPath,
  isChain,
  textKind,
  textToJson,
} from '../json/fields.js';
import { MAX_DEPTH } from '../json/nesting.js';
import type { Binding } from './http-rule.js';

/** A JSON object that is being filled: without a prototype, since names from outside are its keys. */
export type JsonFields = Record<string, JsonValue>;

export function emptyFields(): JsonFields {
  return Object.create(null);
}

/**
 * Takes a query string apart: `a=1&b=x+y`, percent-encoded.
 *
 * @throws RequestError 400 for what is no percent-encoded UTF-8.
 */
export function parseQuery(query: string): readonly (readonly [name: string, value: string])[] {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const name = equals < 0 ? pair : pair.slice(0, equals);
      return [decoded(name), equals < 0 ? '' : decoded(pair.slice(equals + 1))];
    });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw badRequest(`the query string has ${JSON.stringify(text)}, which is no percent-encoded UTF-8`);
  }
}

/**
 * Puts query parameters into the JSON of a request: all fields but those that the path and the body give. A parameter
 * that names no such field is left out, or refused when `refuseUnknown`.
 *
 * @throws RequestError 400 for a parameter that names a field that no parameter can give, one value twice, or one of many.
 */
export function addParameters(
  binding: Binding,
  pairs: readonly (readonly [name: string, value: string])[],
  refuseUnknown: boolean,
  json: JsonFields,
): void {
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    const chain = parameterField(binding, name);
    if (typeof chain === 'string') {
      if (refuseUnknown) throw badRequest(`the query parameter ${JSON.stringify(name)} is unknown: ${chain}`);
      continue;
    }
    if (chain.length > MAX_DEPTH) {
      throw badRequest(`the query parameter ${JSON.stringify(name)} goes deeper than ${MAX_DEPTH} fields`);
    }
    const kind = textKind(chain.at(-1)!);
    if (kind === undefined) {
      throw badRequest(
        `the query parameter ${JSON.stringify(name)} names a field that is not of a primitive type`,
      );
    }
    const canonical = chainName(chain);
    if (kind === 'single' && seen.has(canonical)) {
      throw badRequest(`the query parameter ${JSON.stringify(name)} is given twice, and takes one value`);
    }
    seen.add(canonical);
    addText(json, chain, value);
  }
}

/**
 * The field that a query parameter gives; in words, why there is none.
 *
 * @throws RequestError 400 for one that goes into a list or a map.
 */
function parameterField({ method, body, variables }: Binding, name: string): FieldChain | string {
  if (body === 'all') return 'the body gives all fields';
  const path = name.split('.');
  if (body !== 'none' && fieldNamed(method.input, path[0]!) === body) return 'the body gives this field';
  const chain = followPath(method.input, path);
  if (!isChain(chain)) {
    if (!chain.intoMany) return chain.why;
    throw badRequest(`the query parameter ${JSON.stringify(name)} goes into a repeated field: ${chain.why}`);
  }
  const canonical = chainName(chain);
  return variables.some((variable) => chainName(variable.chain) === canonical)
    ? 'the path gives this field'
    : chain;
}

/** Sets, or appends to, the field at the end of a chain from its text in a URL. */
export function addText(json: JsonFields, chain: FieldChain, text: string): void {
  let within = json;
  for (const { jsonName } of chain.slice(0, -1)) {
    within[jsonName] ??= emptyFields();
    within = within[jsonName] as JsonFields;
  }
  const { fieldKind, jsonName } = chain.at(-1)!;
  const value = textToJson(chain.at(-1)!, text);
  const list = within[jsonName] as JsonValue[] | undefined;
  if (fieldKind !== 'list') within[jsonName] = value;
  else if (list === undefined) within[jsonName] = [value];
  else list.push(value);
}
