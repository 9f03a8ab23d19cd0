import type { ErrorObject } from 'ajv';

/**
 * What is wrong with a scenario, and the cure, a line each: the fields as paths with slashes, from the top.
 *
 * @param errors - of a validator that was made with `verbose`.
 */
export function describeErrors(errors: readonly ErrorObject[]): string[] {
  const choices = errors.filter(({ keyword }) => keyword === 'oneOf' || keyword === 'anyOf');
  const kinds = errors.filter(({ keyword }) => keyword === 'discriminator');
  const told = errors.filter(
    (error) =>
      error.keyword !== 'if' &&
      // A discriminator that is missing is said by the list of its values.
      !(error.keyword === 'required' && kinds.some((kind) => kind.instancePath === error.instancePath)) &&
      // What failed inside a choice is said by the choice.
      !choices.some((choice) => choice !== error && error.schemaPath.startsWith(`${choice.schemaPath}/`)),
  );
  return [...new Set(told.map(describe))];
}

function describe(error: ErrorObject): string {
  const { keyword, params, parentSchema = {}, data, message } = error;
  const field = error.instancePath.slice(1) || 'the scenario';
  const is = `${field} is ${shown(data)}`;
  switch (keyword) {
    case 'additionalProperties': {
      const { additionalProperty } = params as { additionalProperty: string };
      const known = Object.keys(parentSchema.properties ?? {});
      return `${field} has ${JSON.stringify(additionalProperty)}, which is none of its fields: ${known.join(', ')}`;
    }
    case 'required': {
      const { missingProperty } = params as { missingProperty: string };
      const { description } = parentSchema.properties?.[missingProperty] ?? {};
      return `${join(error, missingProperty)} is missing${description === undefined ? '' : `: ${lower(description)}`}`;
    }
    case 'discriminator': {
      const kinds = (parentSchema.oneOf as { properties: { kind: { const: string } } }[]).map(
        ({ properties }) => properties.kind.const,
      );
      const { tagValue } = params as { tagValue?: unknown };
      const value = tagValue === undefined ? 'missing' : shown(tagValue);
      return `${join(error, 'kind')} is ${value}, and must be one of ${kinds.join(', ')}`;
    }
    case 'enum':
      return `${is}, and must be one of ${(params as { allowedValues: string[] }).allowedValues.join(', ')}`;
    case 'const':
      return `${is}, and must be ${shown((params as { allowedValue: unknown }).allowedValue)}`;
    case 'type':
      return `${is}, and must be ${types(parentSchema.type)}`;
    case 'minimum':
      return `${is}, and must be ${(params as { limit: number }).limit} or more`;
    case 'exclusiveMinimum':
      return `${is}, and must be more than ${(params as { limit: number }).limit}`;
    case 'maximum':
      return `${is}, and must be ${(params as { limit: number }).limit} or less`;
    case 'minLength':
    case 'minItems':
      return `${field} is empty`;
    case 'oneOf':
    case 'anyOf':
      return `${field} ${parentSchema.$comment ?? message}`;
    default:
      return `${is}: it ${message}`;
  }
}

function join({ instancePath }: ErrorObject, property: string): string {
  return `${instancePath}/${property}`.slice(1);
}

function lower(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '');
}

function types(type: string | readonly string[]): string {
  const names = typeof type === 'string' ? [type] : type;
  return names.map((name) => (/^[aeio]/.test(name) ? `an ${name}` : `a ${name}`)).join(' or ');
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
