import { commentOn } from '../descriptors/comments.js';
import type { JsonOptions } from '../json/options.js';
import type { Binding } from '../rules/http-rule.js';
import { ERROR, operationOf, STATUS } from './operation.js';
import { pathOf, queryParameters } from './parameters.js';
import { Schemas } from './schemas.js';

/** An OpenAPI document, as JSON. */
export type OpenApi = { readonly [key: string]: unknown };

/** What the document says of itself. */
export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
}

/** The methods for which OpenAPI 3.1 has a place (4.8.9, Path Item Object). */
const METHODS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE']);

/**
 * The OpenAPI 3.1 document of the bindings. A variable of several segments comes as one parameter for each of its
 * wildcards. What OpenAPI has no place for (other methods; a second operation at paths that differ in how many segments a
 * parameter may have) is named in the description.
 *
 * @param prefix - of all paths, '' for none.
 */
export function openApiOf(
  bindings: readonly Binding[],
  json: JsonOptions,
  info: OpenApiInfo,
  prefix: string,
): OpenApi {
  const schemas = new Schemas(json);
  const paths = new Map<
    string,
    { readonly names: readonly string[]; readonly operations: Map<string, OpenApi> }
  >();
  const shapes = new Map<string, string>();
  const ids = new Map<string, number>();
  const leftOut: string[] = [];
  for (const binding of bindings) {
    const { path, parameters } = pathOf(binding);
    // To OpenAPI, paths are the same that differ in the names of parameters only.
    const shape = path.replace(/\{[^}]*\}/g, '{}');
    const known = shapes.get(shape) ?? path;
    const item = paths.get(known) ?? { names: parameters.map(({ name }) => name), operations: new Map() };
    const method = binding.httpMethod.toLowerCase();
    if (!METHODS.has(binding.httpMethod) || item.operations.has(method)) {
      leftOut.push(namedInMarkdown(binding));
      continue;
    }
    shapes.set(shape, known);
    paths.set(known, item);
    const id = `${binding.method.parent.typeName}.${binding.method.name}`;
    const count = (ids.get(id) ?? 0) + 1;
    ids.set(id, count);
    item.operations.set(method, {
      operationId: count === 1 ? id : `${id}_${count}`,
      ...operationOf(binding, schemas),
      parameters: [
        ...parameters.map((each, i) => ({ ...each, name: item.names[i]! })),
        ...queryParameters(binding, schemas),
      ],
    });
  }
  const services = new Set(bindings.map(({ method }) => method.parent));
  return {
    openapi: '3.1.0',
    info: { ...info, ...(leftOut.length > 0 && { description: `Not shown here: ${some(leftOut, '; ')}.` }) },
    ...(prefix !== '' && { servers: [{ url: prefix }] }),
    tags: [...services].map((service) => ({ name: service.typeName, description: commentOn(service) })),
    paths: Object.fromEntries(
      [...paths].map(([path, { operations }]) => [path, Object.fromEntries(operations)]),
    ),
    components: { schemas: { ...Object.fromEntries(schemas.components), [STATUS]: ERROR } },
  };
}

/** The title of a document that is given none: the names of the services, as long as they can be read. */
export function titleOf(services: ReadonlySet<string>): string {
  return services.size <= MAX_IN_TITLE ? [...services].join(', ') : `${services.size} services`;
}

const MAX_IN_TITLE = 3;
const MAX_LEFT_OUT = 50;

function some(names: readonly string[], comma: string): string {
  const more = names.length - MAX_LEFT_OUT;
  return names.slice(0, MAX_LEFT_OUT).join(comma) + (more > 0 ? `${comma}and ${more} more` : '');
}

/** In Markdown, the stars of a template would be gone. */
function namedInMarkdown({ method, httpMethod, template }: Binding): string {
  return `${method.parent.typeName}.${method.name} (\`${httpMethod} ${template.source}\`)`;
}
