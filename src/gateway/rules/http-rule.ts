import { METHODS } from 'node:http';
import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from '@bufbuild/protobuf';
import { http } from '../../../generated/google/api/annotations_pb.js';
import type { HttpRule } from '../../../generated/google/api/http_pb.js';
import { BalancerError } from '../../base/errors.js';
import { chainName, type FieldChain, followPath, isChain, textKind } from '../json/fields.js';
import { type PathTemplate, parsePathTemplate, type Variable } from './path-template.js';
import { ANY_METHOD } from './router.js';

/** A variable of the path, and the field that it goes into. */
export interface BoundVariable extends Variable {
  readonly chain: FieldChain;
}

/** One way to call a method over HTTP: an `HttpRule` or one of its additional bindings, checked against the descriptors. */
export interface Binding {
  readonly method: DescMethod;
  /** `GET`, say; `*` for every method. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  readonly variables: readonly BoundVariable[];
  /** What the request body holds: nothing, the request but for what the path gives, or one field of it. */
  readonly body: 'none' | 'all' | DescField;
  /** The field that is the response body; undefined for the whole response. */
  readonly responseBody: DescField | undefined;
}

/** Where a binding comes from, for messages: `helloworld.Greeter.SayHello (POST /hello)`. */
export function describeBinding({ method, httpMethod, template }: Binding): string {
  return `${method.parent.typeName}.${method.name} (${httpMethod} ${template.source})`;
}

/**
 * The bindings of a method: those of its `google.api.http` option, or, for one without, none.
 *
 * @param unannotated - binds a method without the option to `POST /package.Service/Method`, the whole request in the body.
 * @param unservable - hears INVALID_OPTION for each that cannot be, naming the method and what is wrong: it throws it, or has the
 *   others served.
 */
export function bindingsOf(
  method: DescMethod,
  unannotated: boolean,
  unservable: (error: BalancerError) => void,
): readonly Binding[] {
  if (!hasOption(method, http)) {
    if (!unannotated) return [];
    const template = parsePathTemplate(`/${method.parent.typeName}/${method.name}`);
    return [{ method, httpMethod: 'POST', template, variables: [], body: 'all', responseBody: undefined }];
  }
  const rule = getOption(method, http);
  const bindings: Binding[] = [];
  for (const each of [rule, ...rule.additionalBindings]) {
    try {
      if (each !== rule && each.additionalBindings.length > 0) {
        fail(method, 'has additional_bindings inside of additional_bindings');
      }
      bindings.push(bind(method, each));
    } catch (error) {
      if (!(error instanceof BalancerError)) throw error;
      unservable(error);
    }
  }
  return bindings;
}

function bind(method: DescMethod, rule: HttpRule): Binding {
  const { httpMethod, path } = patternOf(method, rule);
  const template = named(method, () => parsePathTemplate(path));
  const variables = template.variables.map((variable) => ({
    ...variable,
    chain: boundField(method, variable.fieldPath),
  }));
  const body = rule.body === '' ? 'none' : rule.body === '*' ? 'all' : fieldOf(method, 'body', rule.body);
  if (body !== 'none' && (httpMethod === 'GET' || httpMethod === 'HEAD')) {
    fail(method, `has a body at ${httpMethod} ${path}, and ${httpMethod} requests have none`);
  }
  const responseBody =
    rule.responseBody === '' ? undefined : fieldOf(method, 'response_body', rule.responseBody);
  return { method, httpMethod, template, variables, body, responseBody };
}

function patternOf(method: DescMethod, { pattern }: HttpRule): { httpMethod: string; path: string } {
  switch (pattern.case) {
    case undefined:
      return fail(method, 'lacks a pattern: one of get, put, post, delete, patch and custom');
    case 'custom': {
      const { kind, path } = pattern.value;
      if (kind !== ANY_METHOD && (kind === 'CONNECT' || !METHODS.includes(kind))) {
        fail(method, `has the custom kind ${JSON.stringify(kind)}, which Node's HTTP parser does not know`);
      }
      return { httpMethod: kind, path };
    }
    default:
      return { httpMethod: pattern.case.toUpperCase(), path: pattern.value };
  }
}

function boundField(method: DescMethod, fieldPath: readonly string[]): FieldChain {
  const chain = followPath(method.input, fieldPath);
  if (!isChain(chain)) return fail(method, `binds {${fieldPath.join('.')}}, and ${chain.why}`);
  if (textKind(chain.at(-1)!) !== 'single') {
    fail(method, `binds {${chainName(chain)}}, which is not a field with one primitive value`);
  }
  return chain;
}

/** `body` and `response_body` name a field at the top of the message. */
function fieldOf(method: DescMethod, option: 'body' | 'response_body', name: string): DescField {
  const message: DescMessage = option === 'body' ? method.input : method.output;
  const field = message.fields.find((each) => each.name === name);
  return (
    field ?? fail(method, `has ${option} ${JSON.stringify(name)}, and ${message.typeName} has no such field`)
  );
}

function named<T>(method: DescMethod, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof BalancerError)) throw error;
    throw new BalancerError(error.code, `${ruleOf(method)}: ${error.message}`);
  }
}

function fail(method: DescMethod, what: string): never {
  throw new BalancerError('INVALID_OPTION', `${ruleOf(method)} ${what}`);
}

function ruleOf({ parent, name }: DescMethod): string {
  return `the google.api.http rule of ${parent.typeName}.${name}`;
}
