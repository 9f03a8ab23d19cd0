import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { commentOn } from '../descriptors/comments.js';
import { chainName, type FieldChain, textKind } from '../json/fields.js';
import type { JsonOptions } from '../json/options.js';
import { type Binding, type BoundVariable, describeBinding } from '../rules/http-rule.js';
import { type Schema, Schemas } from './schemas.js';

/** An OpenAPI document, as JSON. */
export type OpenApi = { readonly [key: string]: unknown };

/** What the document says of itself. */
export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
}

/** The methods for which OpenAPI 3.1 has a place (4.8.9, Path Item Object). */
const METHODS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE']);

/** Where the shape of every error body is. */
const STATUS = 'google.rpc.Status';

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
    { readonly names: readonly string[]; readonly operations: Record<string, OpenApi> }
  >();
  const shapes = new Map<string, string>();
  const ids = new Map<string, number>();
  const leftOut: string[] = [];
  for (const binding of bindings) {
    const { path, parameters } = pathOf(binding);
    // To OpenAPI, paths are the same that differ in the names of parameters only.
    const shape = path.replace(/\{[^}]*\}/g, '{}');
    const known = shapes.get(shape) ?? path;
    const item = paths.get(known) ?? { names: parameters.map(({ name }) => name), operations: {} };
    const method = binding.httpMethod.toLowerCase();
    if (!METHODS.has(binding.httpMethod) || item.operations[method] !== undefined) {
      leftOut.push(describeBinding(binding));
      continue;
    }
    shapes.set(shape, known);
    paths.set(known, item);
    const id = `${binding.method.parent.typeName}.${binding.method.name}`;
    const count = (ids.get(id) ?? 0) + 1;
    ids.set(id, count);
    item.operations[method] = {
      operationId: count === 1 ? id : `${id}_${count}`,
      ...operationOf(binding, schemas),
      parameters: [
        ...parameters.map((each, i) => ({ ...each, name: item.names[i]! })),
        ...queryParameters(binding, schemas),
      ],
    };
  }
  const services = new Set(bindings.map(({ method }) => method.parent));
  return {
    openapi: '3.1.0',
    info: { ...info, ...(leftOut.length > 0 && { description: `Not shown here: ${leftOut.join('; ')}.` }) },
    ...(prefix !== '' && { servers: [{ url: prefix }] }),
    tags: [...services].map((service) => ({ name: service.typeName, description: commentOn(service) })),
    paths: Object.fromEntries([...paths].map(([path, { operations }]) => [path, operations])),
    components: { schemas: { ...schemas.components, [STATUS]: ERROR } },
  };
}

const ERROR: Schema = {
  type: 'object',
  description: 'What went wrong: a gRPC status.',
  properties: {
    code: { type: 'integer', format: 'int32', description: 'The gRPC status code.' },
    message: { type: 'string' },
    details: { type: 'array', items: { type: 'object', additionalProperties: true } },
  },
};

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly description: string;
  readonly required: boolean;
  readonly schema: Schema;
}

/** A template as an OpenAPI path. */
function pathOf({ template, variables }: Binding): { path: string; parameters: Parameter[] } {
  const parameters: Parameter[] = [];
  const parts = template.segments.map((segment, i) => {
    if (segment.kind === 'literal') return encodeURIComponent(segment.text);
    const variable = variables.find(({ start, end }) => start <= i && i < end);
    const wildcards = template.segments.filter(
      ({ kind }, at) => kind !== 'literal' && variable && variable.start <= at && at < variable.end,
    );
    const of = variable === undefined ? 'segment' : chainName(variable.chain);
    const alone = variable !== undefined && wildcards.length === 1;
    const name = alone
      ? of
      : `${of}.${parameters.filter((each) => each.name.startsWith(`${of}.`)).length + 1}`;
    const many = segment.kind === 'rest' ? 'Any number of segments. ' : '';
    const description = many + (variable === undefined ? '' : descriptionOf(variable, template.source));
    parameters.push({
      name,
      in: 'path',
      description: description.trim(),
      required: true,
      schema: { type: 'string' },
    });
    return `{${name}}`;
  });
  const verb = template.verb === undefined ? '' : `:${encodeURIComponent(template.verb)}`;
  return { path: `/${parts.join('/')}${verb}`, parameters };
}

function descriptionOf({ chain, single }: BoundVariable, template: string): string {
  const comment = commentOn(chain.at(-1)!);
  return single ? comment : `A part of ${chainName(chain)} in ${template}. ${comment}`;
}

/** How deep in the request the fields are that are shown as parameters: deeper ones can be given all the same. */
const MAX_DEPTH = 4;

/** Every field that neither the path nor the body gives, down to the primitive ones. */
function queryParameters({ method, body, variables }: Binding, schemas: Schemas): readonly Parameter[] {
  if (body === 'all') return [];
  const given = new Set(variables.map(({ chain }) => chainName(chain)));
  const walk = (message: DescMessage, above: FieldChain): Parameter[] =>
    message.fields.flatMap((field: DescField): Parameter[] => {
      const chain = [...above, field];
      if (field === body || given.has(chainName(chain))) return [];
      if (textKind(field) !== undefined) {
        const name = chain.map(({ jsonName }) => jsonName).join('.');
        return [
          {
            name,
            in: 'query',
            description: commentOn(field),
            required: false,
            schema: schemas.ofField(field),
          },
        ];
      }
      // A message that holds itself could be given to any depth: once is shown.
      const again = field.message === method.input || above.some((outer) => outer.message === field.message);
      const goOn = !again && chain.length < MAX_DEPTH;
      return field.fieldKind === 'message' && goOn ? walk(field.message, chain) : [];
    });
  return walk(method.input, []);
}

function operationOf({ method, body, responseBody }: Binding, schemas: Schemas): OpenApi {
  const { clientStreaming, serverStreaming } = method.proto;
  const request =
    body === 'none' ? undefined : body === 'all' ? schemas.ofMessage(method.input) : schemas.ofField(body);
  const response =
    responseBody === undefined ? schemas.ofMessage(method.output) : schemas.ofField(responseBody);
  const [summary = ''] = commentOn(method).split('\n');
  return {
    tags: [method.parent.typeName],
    summary,
    description: commentOn(method),
    ...(method.deprecated && { deprecated: true }),
    ...(request !== undefined && {
      requestBody: { content: { [clientStreaming ? LINES : JSON_TYPE]: { schema: request } } },
    }),
    responses: {
      200: {
        description: serverStreaming ? 'Messages, one a line or an event.' : 'OK',
        content: serverStreaming
          ? { [LINES]: { schema: response }, 'text/event-stream': { schema: response } }
          : { [JSON_TYPE]: { schema: response } },
      },
      default: {
        description: 'An error',
        content: { [JSON_TYPE]: { schema: { $ref: `#/components/schemas/${STATUS}` } } },
      },
    },
  };
}

const JSON_TYPE = 'application/json';
const LINES = 'application/x-ndjson';
