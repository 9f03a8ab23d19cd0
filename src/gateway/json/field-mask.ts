import type { DescMessage, JsonValue } from '@bufbuild/protobuf';
import { badRequest } from '../base/request-error.js';
import { fieldNamed } from './fields.js';
import { jsonKind } from './well-known.js';

/** Most characters of all paths together: in a `Struct`, a long name would be in the path of everything below it. */
const MAX_CHARACTERS = 64 * 1024;

/**
 * The paths of all that the JSON of a message has, in the names of the proto, in order: what a PATCH changes that does not say it.
 * A list, a map and an `Any` are changed as a whole; a `Struct` may be changed in part. As grpc-gateway has it
 * (runtime/fieldmask.go), but that what the message does not have is left out.
 *
 * @throws RequestError 400 for paths that are too long together.
 */
export function maskOf(message: DescMessage, json: JsonValue): readonly string[] {
  const paths = new Paths();
  if (isObject(json)) addPaths(message, json, '', paths);
  return paths.sorted();
}

class Paths {
  readonly #paths: string[] = [];
  #characters = 0;

  add(path: string): void {
    this.#characters += path.length;
    if (this.#characters > MAX_CHARACTERS) {
      throw badRequest('the body has too much for a field mask: give one in update_mask');
    }
    this.#paths.push(path);
  }

  sorted(): readonly string[] {
    return this.#paths.sort();
  }
}

function addPaths(message: DescMessage, json: JsonObject, prefix: string, paths: Paths): void {
  for (const key of Object.keys(json)) {
    const field = fieldNamed(message, key);
    if (field === undefined) continue;
    const path = prefix + field.name;
    const value = json[key]!;
    const inner = field.fieldKind === 'message' && isObject(value) && Object.keys(value).length > 0;
    const kind = inner ? jsonKind(field.message) : undefined;
    if (kind === 'plain') addPaths(field.message!, value as JsonObject, `${path}.`, paths);
    else if (kind === 'free') addKeys(value as JsonObject, path, paths);
    else paths.add(path);
  }
}

function addKeys(json: JsonObject, path: string, paths: Paths): void {
  for (const key of Object.keys(json)) {
    const value = json[key]!;
    if (isObject(value) && Object.keys(value).length > 0) addKeys(value, `${path}.${key}`, paths);
    else paths.add(`${path}.${key}`);
  }
}

type JsonObject = { readonly [key: string]: JsonValue };

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
