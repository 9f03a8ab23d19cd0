import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { commentOn } from '../descriptors/comments.js';
import { chainName, type FieldChain, textKind } from '../json/fields.js';
import type { Binding, BoundVariable } from '../rules/http-rule.js';
import type { Schema, Schemas } from './schemas.js';

/** A parameter of an operation (OpenAPI 3.1, 4.8.12). */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly description: string;
  readonly required: boolean;
  readonly schema: Schema;
}

/** A template as an OpenAPI path. */
export function pathOf({ template, variables }: Binding): { path: string; parameters: Parameter[] } {
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
  return single ? comment : `A part of ${chainName(chain)} in \`${template}\`. ${comment}`;
}

/** How deep in the request the fields are that are shown as parameters: deeper ones can be given all the same. */
const MAX_DEPTH = 4;

/** Every field that neither the path nor the body gives, down to the primitive ones. */
export function queryParameters(
  { method, body, variables }: Binding,
  schemas: Schemas,
): readonly Parameter[] {
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
