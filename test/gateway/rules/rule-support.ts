import {
  create,
  createFileRegistry,
  fromBinary,
  type JsonValue,
  setExtension,
  toJson,
} from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';
import { expect } from 'vitest';
import { http } from '../../../generated/google/api/annotations_pb.js';
import { type HttpRule, HttpRuleSchema } from '../../../generated/google/api/http_pb.js';
import { RequestError } from '../../../src/gateway/base/request-error.js';
import type { JsonOptions } from '../../../src/gateway/json/options.js';
import { type Binding, bindingsOf } from '../../../src/gateway/rules/http-rule.js';
import { Requests } from '../../../src/gateway/rules/requests.js';
import { Router } from '../../../src/gateway/rules/router.js';
import { testDescriptors } from '../support.js';
/** A rule, as short as a proto has it. */
export interface Rule {
  readonly get?: string;
  readonly put?: string;
  readonly post?: string;
  readonly delete?: string;
  readonly patch?: string;
  readonly custom?: readonly [kind: string, path: string];
  readonly body?: string;
  readonly responseBody?: string;
  readonly more?: readonly Rule[];
}

function httpRule({ body = '', responseBody = '', more = [], custom, ...verbs }: Rule): HttpRule {
  const [[verb, path] = [undefined, '']] = Object.entries(verbs);
  return create(HttpRuleSchema, {
    body,
    responseBody,
    additionalBindings: more.map(httpRule),
    pattern: (custom
      ? { case: 'custom', value: { kind: custom[0], path: custom[1] } }
      : { case: verb, value: path }) as HttpRule['pattern'],
  });
}

const IMPORT = 'test/gateway/v1/shelf.proto';

/** The bindings of a method with the rule, as if a proto had it. */
export function bind(rule: Rule, input = 'Everything', output = input): readonly Binding[] {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, httpRule(rule));
  const method = create(MethodDescriptorProtoSchema, {
    name: 'Call',
    inputType: `.test.gateway.v1.${input}`,
    outputType: `.test.gateway.v1.${output}`,
    options,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: 'rule.proto',
    syntax: 'proto3',
    package: 'rule',
    dependency: [IMPORT],
    service: [{ name: 'Service', method: [method] }],
  });
  const files = [...testDescriptors().files.files].map(({ proto }) => proto);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files, file] }));
  return bindingsOf(registry.getService('rule.Service')!.method.call!, false, (error) => {
    throw error;
  });
}

/** The message that a request becomes; the HTTP status of what it is refused with. */
export function become(
  bindings: readonly Binding[],
  line: string,
  body = '',
  options: JsonOptions = {},
): JsonValue {
  const router = new Router<Binding>();
  for (const binding of bindings)
    expect(router.add(binding.httpMethod, binding.template, binding)).toBeUndefined();
  const [verb, target] = line.split(' ') as [string, string];
  const [path, query = ''] = target.split('?') as [string, string?];
  const found = router.find(verb, path);
  if (found.kind !== 'match') return found.kind === 'none' ? 404 : 405;
  const { types } = testDescriptors();
  try {
    const bytes = new Requests(found.target, types, options).request(found.segments, query)(body);
    const { input } = found.target.method;
    return toJson(input, fromBinary(input, bytes), { registry: types });
  } catch (error) {
    if (error instanceof RequestError) return error.httpStatus;
    throw error;
  }
}

/** What a request is refused with, in words. */
export function refusal(
  bindings: readonly Binding[],
  target: string,
  body = '',
  options: JsonOptions = {},
): string {
  const [path, query = ''] = target.split('?') as [string, string?];
  const [binding] = bindings as [Binding];
  const { types } = testDescriptors();
  const router = new Router<Binding>();
  router.add('POST', binding.template, binding);
  const found = router.find('POST', path);
  if (found.kind !== 'match') throw new Error(`${path} is not found`);
  try {
    new Requests(binding, types, options).request(found.segments, query)(body);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was taken');
}
