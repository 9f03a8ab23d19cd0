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
import { beforeAll, describe, expect, it } from 'vitest';
import { http } from '../../../generated/google/api/annotations_pb.js';
import { type HttpRule, HttpRuleSchema } from '../../../generated/google/api/http_pb.js';
import { RequestError } from '../../../src/gateway/errors.js';
import { type Binding, bindingsOf } from '../../../src/gateway/rules/http-rule.js';
import { Router } from '../../../src/gateway/rules/router.js';
import { type JsonOptions, Transcoder } from '../../../src/gateway/rules/transcoder.js';
import { testDescriptors } from '../support.js';

/** A rule, as short as a proto has it. */
interface Rule {
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
function bind(rule: Rule, input = 'Everything', output = input): readonly Binding[] {
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
  return bindingsOf(registry.getService('rule.Service')!.method.call!, false);
}

/** The message that a request becomes; the HTTP status of what it is refused with. */
function become(bindings: readonly Binding[], line: string, body = '', options: JsonOptions = {}): JsonValue {
  const router = new Router<Binding>();
  for (const binding of bindings)
    expect(router.add(binding.httpMethod, binding.template, binding)).toBeUndefined();
  const [verb, target] = line.split(' ') as [string, string];
  const [path, query = ''] = target.split('?') as [string, string?];
  const found = router.find(verb, path);
  if (found.kind !== 'match') return found.kind === 'none' ? 404 : 405;
  const { types } = testDescriptors();
  try {
    const bytes = new Transcoder(found.target, types, options).request(found.segments, query)(body);
    const { input } = found.target.method;
    return toJson(input, fromBinary(input, bytes), { registry: types });
  } catch (error) {
    if (error instanceof RequestError) return error.httpStatus;
    throw error;
  }
}

/** What a request is refused with, in words. */
function refusal(bindings: readonly Binding[], target: string, body = '', options: JsonOptions = {}): string {
  const [path, query = ''] = target.split('?') as [string, string?];
  const [binding] = bindings as [Binding];
  const { types } = testDescriptors();
  const router = new Router<Binding>();
  router.add('POST', binding.template, binding);
  const found = router.find('POST', path);
  if (found.kind !== 'match') throw new Error(`${path} is not found`);
  try {
    new Transcoder(binding, types, options).request(found.segments, query)(body);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was taken');
}

beforeAll(() => void testDescriptors());

describe('google.api.http, as its documentation has it', () => {
  const update: Rule = { patch: '/v1/messages/{text}', body: 'book' };
  const all: Rule = { patch: '/v1/messages/{text}', body: '*' };
  it.each<[string, Rule, string, string, JsonValue]>([
    // "The path template may refer to one or more fields."
    [
      'GetMessage',
      { get: '/v1/{text=messages/*}' },
      'GET /v1/messages/123456',
      '',
      { text: 'messages/123456' },
    ],
    // "Any fields which are not bound by the path template automatically become HTTP query parameters."
    [
      'query parameters, nested ones too',
      { get: '/v1/messages/{text}' },
      'GET /v1/messages/123456?an_int64=2&book.title=foo',
      '',
      { text: '123456', anInt64: '2', book: { title: 'foo' } },
    ],
    // "...?param=A&param=B"
    ['a repeated parameter', { get: '/v1/x' }, 'GET /v1/x?texts=A&texts=B', '', { texts: ['A', 'B'] }],
    [
      'a message, each field of it',
      { get: '/v1/x' },
      'GET /v1/x?book.name=A&book.title=B&book.author.given_name=C',
      '',
      { book: { name: 'A', title: 'B', author: { givenName: 'C' } } },
    ],
    // "body: "message""
    [
      'a field in the body',
      update,
      'PATCH /v1/messages/123456',
      '{"title":"Hi!"}',
      { text: '123456', book: { title: 'Hi!' } },
    ],
    [
      'a field in the body, the others in the query',
      update,
      'PATCH /v1/messages/123456?a_bool=true',
      '{"title":"Hi!"}',
      { text: '123456', aBool: true, book: { title: 'Hi!' } },
    ],
    // "body: "*""
    [
      'all in the body',
      all,
      'PATCH /v1/messages/123456',
      '{"renamed":"Hi!"}',
      { text: '123456', otherName: 'Hi!' },
    ],
    [
      'the path over the body',
      all,
      'PATCH /v1/messages/path',
      '{"text":"body","otherName":"Hi!"}',
      { text: 'path', otherName: 'Hi!' },
    ],
    // "Note that when using `*` in the body mapping, it is not possible to have HTTP parameters."
    ['no parameters beside *', all, 'PATCH /v1/messages/1?a_bool=true', '{}', { text: '1' }],
    // "If HttpRule.body is omitted, there is no HTTP request body."
    ['no body without one', { post: '/v1/x' }, 'POST /v1/x?text=a', '{"aBool":true}', { text: 'a' }],
    ['an empty body', all, 'PATCH /v1/messages/1', '', { text: '1' }],
    ['a body of white space', all, 'PATCH /v1/messages/1', ' \r\n\t ', { text: '1' }],
    ['an empty body for a field', update, 'PATCH /v1/messages/1', '', { text: '1' }],
    ['a list as the body', { put: '/v1/x', body: 'texts' }, 'PUT /v1/x', '["a","b"]', { texts: ['a', 'b'] }],
    ['a scalar as the body', { put: '/v1/x', body: 'text' }, 'PUT /v1/x', '"a"', { text: 'a' }],
    ['a map as the body', { put: '/v1/x', body: 'counts' }, 'PUT /v1/x', '{"a":1}', { counts: { a: 1 } }],
    ['null as the body of a field', { put: '/v1/x', body: 'book' }, 'PUT /v1/x', 'null', {}],
    // All the methods.
    ['get', { get: '/v1/x' }, 'GET /v1/x', '', {}],
    ['put', { put: '/v1/x' }, 'PUT /v1/x', '', {}],
    ['post', { post: '/v1/x' }, 'POST /v1/x', '', {}],
    ['delete', { delete: '/v1/x' }, 'DELETE /v1/x', '', {}],
    ['patch', { patch: '/v1/x' }, 'PATCH /v1/x', '', {}],
    ['custom', { custom: ['PURGE', '/v1/{text}'] }, 'PURGE /v1/x', '', { text: 'x' }],
    ['custom "*"', { custom: ['*', '/v1/{text}'] }, 'REPORT /v1/x', '', { text: 'x' }],
    ['another method', { get: '/v1/x' }, 'POST /v1/x', '', 405],
    // Percent-encoding: one segment is decoded wholly, several but for their slashes.
    ['one segment', { get: '/v1/{text}' }, 'GET /v1/a%2Fb%20%C3%A9%3A%25', '', { text: 'a/b é:%' }],
    ['one segment, by {=*}', { get: '/v1/{text=*}' }, 'GET /v1/a%2fb', '', { text: 'a/b' }],
    ['several segments', { get: '/v1/{text=a/*}' }, 'GET /v1/a/b%2Fc%20d', '', { text: 'a/b%2Fc d' }],
    ['**', { get: '/v1/{text=**}' }, 'GET /v1/a/b%2fc%3Fd%25', '', { text: 'a/b%2fc?d%' }],
    ['** of one segment', { get: '/v1/{text=**}' }, 'GET /v1/b%2Fc', '', { text: 'b%2Fc' }],
    ['** of none', { get: '/v1/{text=**}' }, 'GET /v1', '', {}],
    ['** of empty ones', { get: '/v1/{text=**}' }, 'GET /v1//a//', '', { text: '/a//' }],
    ['a plus is a plus in a path', { get: '/v1/{text}' }, 'GET /v1/a+b', '', { text: 'a+b' }],
    ['and a space in a query', { get: '/v1' }, 'GET /v1?text=a+b%2Bc', '', { text: 'a b+c' }],
    ['a verb', { post: '/v1/{text}:cancel' }, 'POST /v1/a:b:cancel', '', { text: 'a:b' }],
    ['** and a verb', { post: '/v1/{text=**}:cancel' }, 'POST /v1/a/b:cancel', '', { text: 'a/b' }],
    ['another verb', { post: '/v1/{text=**}:cancel' }, 'POST /v1/a/b:stop', '', 404],
    // Nested fields and types in the path.
    [
      'a nested field',
      { get: '/v1/{book.author.given_name}' },
      'GET /v1/x',
      '',
      { book: { author: { givenName: 'x' } } },
    ],
    [
      'two of one message',
      { get: '/v1/{book.name=a/*}/{book.isbn}' },
      'GET /v1/a/b/5',
      '',
      { book: { name: 'a/b', isbn: '5' } },
    ],
    [
      'a nested field beside the rest of its message in the body',
      { patch: '/v1/{book.name}', body: 'book' },
      'PATCH /v1/x',
      '{"title":"t","name":"other"}',
      { book: { name: 'x', title: 't' } },
    ],
    ['an enum by name', { get: '/v1/{colour}' }, 'GET /v1/COLOUR_RED', '', { colour: 'COLOUR_RED' }],
    ['an enum by number', { get: '/v1/{colour}' }, 'GET /v1/2', '', { colour: 'COLOUR_BLUE' }],
    ['a bool', { get: '/v1/{a_bool}' }, 'GET /v1/true', '', { aBool: true }],
    ['a bool that is none', { get: '/v1/{a_bool}' }, 'GET /v1/maybe', '', 400],
    ['a number that is none', { get: '/v1/{an_int32}' }, 'GET /v1/x', '', 400],
    ['a number out of range', { get: '/v1/{an_int32}' }, 'GET /v1/2147483648', '', 400],
    [
      'what other fields are: oneof, optional, wrapper, timestamp, bytes',
      { get: '/v1/{this}/{maybe}/{int64_value}/{timestamp}/{some_bytes}/{bool_value}' },
      'GET /v1/a/b/9007199254740993/2020-01-02T03:04:05Z/_-8/1',
      '',
      {
        this: 'a',
        maybe: 'b',
        int64Value: '9007199254740993',
        timestamp: '2020-01-02T03:04:05Z',
        someBytes: '/+8=',
        boolValue: true,
      },
    ],
  ])('%s', (_name, rule, line, body, expected) => {
    expect(become(bind(rule), line, body)).toEqual(expected);
  });

  it('has additional bindings', () => {
    const bindings = bind({
      get: '/v1/messages/{text}',
      more: [{ get: '/v1/users/{book.name}/messages/{text}' }, { post: '/v1/messages:find', body: '*' }],
    });
    expect(become(bindings, 'GET /v1/messages/123456')).toEqual({ text: '123456' });
    expect(become(bindings, 'GET /v1/users/me/messages/123456')).toEqual({
      text: '123456',
      book: { name: 'me' },
    });
    expect(become(bindings, 'POST /v1/messages:find', '{"text":"a"}')).toEqual({ text: 'a' });
  });
});

describe('query parameters', () => {
  const rule: Rule = { get: '/v1/{text}', more: [{ put: '/v1/{text}', body: 'book' }] };
  it.each<[string, JsonValue]>([
    ['GET /v1/a?a_double=1.5&a_float=-2&a_uint32=7', { text: 'a', aDouble: 1.5, aFloat: -2, aUint32: 7 }],
    ['GET /v1/a?aDouble=1.5&otherName=x', { text: 'a', aDouble: 1.5, otherName: 'x' }],
    ['GET /v1/a?renamed=x', { text: 'a', otherName: 'x' }],
    ['GET /v1/a?an_int64=-9223372036854775808', { text: 'a', anInt64: '-9223372036854775808' }],
    ['GET /v1/a?a_uint64=18446744073709551615', { text: 'a', aUint64: '18446744073709551615' }],
    ['GET /v1/a?a_double=NaN&a_float=Infinity', { text: 'a', aDouble: 'NaN', aFloat: 'Infinity' }],
    ['GET /v1/a?colours=COLOUR_RED&colours=2', { text: 'a', colours: ['COLOUR_RED', 'COLOUR_BLUE'] }],
    ['GET /v1/a?int64s=1&int64s=2&int64s=3', { text: 'a', int64s: ['1', '2', '3'] }],
    ['GET /v1/a?some_bytes=aGk%3D', { text: 'a', someBytes: 'aGk=' }],
    ['GET /v1/a?duration=1.5s&mask=a,b.cD', { text: 'a', duration: '1.500s', mask: 'a,b.cD' }],
    ['GET /v1/a?mask=book.given_name,some_bytes', { text: 'a', mask: 'book.givenName,someBytes' }],
    ['GET /v1/a?colour=7&null=0', { text: 'a', colour: 7 }],
    [
      'GET /v1/a?timestamps=2020-02-29T00:00:00Z&timestamps=2021-01-01T00:00:00Z&flags=t&flags=false',
      { text: 'a', timestamps: ['2020-02-29T00:00:00Z', '2021-01-01T00:00:00Z'], flags: [true, false] },
    ],
    ['GET /v1/a?string_value=&bool_value=f', { text: 'a', stringValue: '', boolValue: false }],
    ['GET /v1/a?maybe=&this=', { text: 'a', maybe: '', this: '' }],
    ['GET /v1/a?', { text: 'a' }],
    ['GET /v1/a?&&a_bool=T&', { text: 'a', aBool: true }],
    ['GET /v1/a?a%5Fbool=1', { text: 'a', aBool: true }],
    // What the path and the body give is theirs.
    ['GET /v1/a?text=b', { text: 'a' }],
    ['PUT /v1/a?book.title=b', { text: 'a' }],
    ['GET /v1/a?nobody=b&book.nobody=c&text.x=d', { text: 'a' }],
    // Their JSON is not that of their fields.
    ['GET /v1/a?value.string_value=b&any.type_url=c&struct.fields=d&list.values=e', { text: 'a' }],
    ['GET /v1/a?timestamp.seconds=1&int64_value.value=1', { text: 'a' }],
    // Refused.
    ['GET /v1/a?an_int32=1.5', 400],
    ['GET /v1/a?an_int32=', 400],
    ['GET /v1/a?a_uint32=-1', 400],
    ['GET /v1/a?an_int64=9223372036854775808', 400],
    ['GET /v1/a?a_bool=yes', 400],
    ['GET /v1/a?a_bool=true&a_bool=true', 400],
    ['GET /v1/a?renamed=x&otherName=y', 400],
    ['GET /v1/a?colours=1&colours=x', 400],
    ['GET /v1/a?colour=', 400],
    ['GET /v1/a?colour=colour_red', 400],
    ['GET /v1/a?null=null', 400],
    ['GET /v1/a?an_int32=0x10', 400],
    ['GET /v1/a?int64_value=0x10', 400],
    ['GET /v1/a?timestamp=2021-02-29T00:00:00Z', 400],
    ['GET /v1/a?any=x', 400],
    ['GET /v1/a?this=a&that=1', 400],
    ['GET /v1/a?timestamp=yesterday', 400],
    ['GET /v1/a?counts=1', 400],
    ['GET /v1/a?struct=%7B%7D', 400],
    ['GET /v1/a?book=x', 400],
    ['GET /v1/a?text=%zz', 400],
    ['GET /v1/a?%ff=1', 400],
    [`GET /v1/a?book.author${'.teacher'.repeat(200)}.given_name=x`, 400],
  ])('%s', (line, expected) => {
    expect(become(bind(rule), line)).toEqual(expected);
  });

  it.each([
    ['nobody=1', 'nobody'],
    ['text=b', 'the path gives this field'],
    ['book.title=b', 'the body gives this field'],
  ])('?%s is refused where unknown fields are', (query, reason) => {
    const bindings = bind({ post: '/v1/{text}', body: 'book' });
    expect(refusal(bindings, `/v1/a?${query}`, '', { unknownFields: 'refuse' })).toContain(reason);
  });
});

describe('a body', () => {
  const bindings = (): readonly Binding[] => bind({ post: '/v1', body: '*' });
  it.each(
    [
      ['{"text":5}', 'test.gateway.v1.Everything.text'],
      ['{"text":', 'not JSON'],
      ['{"text":"a"} b', 'not JSON'],
      ['[]', 'Everything'],
      ['5', 'Everything'],
      ['null', 'Everything'],
      ['{"text":"a","text":"b","otherName":1}', 'renamed'],
      ['{"anInt64":1.5}', 'an_int64'],
      ['{"someBytes":"%"}', 'some_bytes'],
      ['{"colour":[]}', 'Colour'],
      ['{"this":"a","that":1}', 'choice'],
      ['{"any":{"@type":"type.googleapis.com/no.Such"}}', 'no.Such'],
      ['{"text":"\\ud800"}', 'text'],
      [`{"value":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 'recursion'],
      [`{"book":{"author":${'{"teacher":'.repeat(5_000)}{}${'}'.repeat(5_000)}}}`, 'recursion'],
    ].map(([body, named]) => [body!.slice(0, 40), body!, named!] as const),
  )('%s is refused, with the name of what is wrong', (_, body, named) => {
    expect(refusal(bindings(), '/v1', body)).toContain(named);
  });

  it('may have unknown fields, unless they are refused by name', () => {
    const body = '{"text":"a","nobody":1,"book":{"nobody":2},"colour":"COLOUR_NONE"}';
    expect(become(bindings(), 'POST /v1', body)).toEqual({ text: 'a', book: {} });
    expect(refusal(bindings(), '/v1', body, { unknownFields: 'refuse' })).toContain('"nobody"');
  });

  it.each<[string, JsonValue]>([
    ['{"anInt64":9007199254740993}', { anInt64: '9007199254740993' }],
    ['{"an_int64":-9223372036854775808}', { anInt64: '-9223372036854775808' }],
    ['{"int64s":[9007199254740993,1]}', { int64s: ['9007199254740993', '1'] }],
    ['{"int64Value":9007199254740993}', { int64Value: '9007199254740993' }],
    [
      '{"books":{"9007199254740993":{"isbn":9007199254740993}}}',
      { books: { '9007199254740993': { isbn: '9007199254740993' } } },
    ],
    [
      '{"any":{"@type":"type.googleapis.com/test.gateway.v1.Book","isbn":9007199254740993}}',
      { any: { '@type': 'type.googleapis.com/test.gateway.v1.Book', isbn: '9007199254740993' } },
    ],
    [
      '{"any":{"@type":"x/google.protobuf.UInt64Value","value":18446744073709551615}}',
      { any: { '@type': 'type.googleapis.com/google.protobuf.UInt64Value', value: '18446744073709551615' } },
    ],
    // Where a number may stand for anything it is a double, and in a text it is none.
    [
      '{"anInt64":9007199254740993,"aDouble":12345678901234567890,"text":"9007199254740993 \\" 1","aUint64":1e3}',
      {
        anInt64: '9007199254740993',
        aDouble: 12345678901234567000,
        text: '9007199254740993 " 1',
        aUint64: '1000',
      },
    ],
    [
      '{"struct":{"anInt64":12345678901234567890},"value":[12345678901234567890]}',
      { struct: { anInt64: 12345678901234567000 }, value: [12345678901234567000] },
    ],
  ])('keeps integers that a double cannot hold: %s', (body, expected) => {
    expect(become(bindings(), 'POST /v1', body)).toEqual(expected);
  });

  it('keeps them at a key that JavaScript has its own mind about', () => {
    const body = '{"longs":{"__proto__":9007199254740993}}';
    // As text: assertions do not look at such a key.
    expect(JSON.stringify(become(bindings(), 'POST /v1', body))).toBe(
      '{"longs":{"__proto__":"9007199254740993"}}',
    );
  });

  it('keeps them in a field that is the body, too', () => {
    expect(become(bind({ post: '/v1', body: 'int64s' }), 'POST /v1', '[9007199254740993]')).toEqual({
      int64s: ['9007199254740993'],
    });
    expect(become(bind({ post: '/v1', body: 'an_int64' }), 'POST /v1', '9007199254740993')).toEqual({
      anInt64: '9007199254740993',
    });
    expect(become(bind({ post: '/v1', body: 'struct' }), 'POST /v1', '{"a":12345678901234567890}')).toEqual({
      struct: { a: 12345678901234567000 },
    });
    // One field is one JSON value: nothing behind it gets into another.
    expect(refusal(bind({ post: '/v1', body: 'an_int64' }), '/v1', '1,"text":"x"')).toContain('not JSON');
  });

  it.each([
    ['{"timestamp":"2021-02-29T00:00:00Z"}', 'timestamp'],
    ['{"timestamp":"2020-04-31T00:00:00Z"}', 'timestamp'],
    ['{"timestamp":"2020-01-01T24:00:00Z"}', 'timestamp'],
    ['{"timestamps":["2020-02-30T00:00:00Z"]}', 'timestamps'],
    [
      '{"any":{"@type":"x/google.protobuf.Timestamp","value":"2021-02-29T00:00:00Z"}}',
      'google.protobuf.Timestamp',
    ],
    ['{"anInt32":"0x10"}', 'an_int32'],
    ['{"aDouble":"0b1"}', 'a_double'],
    ['{"int64s":["0x10"]}', 'int64s'],
  ])('is not taken for something else: %s', (body, field) => {
    expect(refusal(bindings(), '/v1', body)).toContain(field);
  });

  it.each<[string, JsonValue]>([
    ['{"timestamp":"2020-02-29T23:00:00Z"}', { timestamp: '2020-02-29T23:00:00Z' }],
    ['{"timestamp":"0004-02-29T00:00:00Z"}', { timestamp: '0004-02-29T00:00:00Z' }],
    ['{"text":"2021-02-29T24:00:00Z","texts":["0x10"]}', { text: '2021-02-29T24:00:00Z', texts: ['0x10'] }],
    ['{"struct":{"timestamp":"2021-02-29T00:00:00Z"}}', { struct: { timestamp: '2021-02-29T00:00:00Z' } }],
  ])('may have texts that would be doubtful elsewhere: %s', (body, expected) => {
    expect(become(bindings(), 'POST /v1', body)).toEqual(expected);
  });

  it('takes a long time over no body', () => {
    const escapes = `{"title":"${'\\"'.repeat(500_000)}","isbn":9007199254740993}`;
    expect(become(bind({ post: '/v1', body: '*' }, 'Book'), 'POST /v1', escapes)).toMatchObject({
      isbn: '9007199254740993',
    });
  });
});

describe('a rule that cannot be', () => {
  it.each<[Rule, string]>([
    [{}, 'lacks a pattern'],
    [{ get: 'v1' }, 'the path template "v1"'],
    [{ get: '/v1/{nobody}' }, 'there is no field "nobody" in test.gateway.v1.Everything'],
    [{ get: '/v1/{book.nobody}' }, 'there is no field "nobody" in test.gateway.v1.Book'],
    [{ get: '/v1/{text.x}' }, 'there is no field "x" in text, which is not a message'],
    [{ get: '/v1/{book}' }, 'binds {book}, which is not a field with one primitive value'],
    [{ get: '/v1/{texts}' }, 'binds {texts}'],
    [{ get: '/v1/{counts}' }, 'binds {counts}'],
    [{ get: '/v1/{struct}' }, 'binds {struct}'],
    [{ post: '/v1', body: 'nobody' }, 'body "nobody"'],
    [{ post: '/v1', body: 'book.title' }, 'body "book.title"'],
    [{ post: '/v1', responseBody: 'nobody' }, 'response_body "nobody"'],
    [{ get: '/v1', body: '*' }, 'GET requests have none'],
    [{ custom: ['LOOK', '/v1'] }, 'custom kind "LOOK"'],
    [{ custom: ['CONNECT', '/v1'] }, 'custom kind "CONNECT"'],
    [{ custom: ['', '/v1'] }, 'custom kind ""'],
    [{ get: '/v1', more: [{ get: '/v2', more: [{ get: '/v3' }] }] }, 'additional_bindings inside'],
    [{ get: '/v1', more: [{}] }, 'lacks a pattern'],
  ])('%j is refused, with its method', (rule, reason) => {
    const wrong = expect.objectContaining({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(reason),
    });
    expect(() => bind(rule)).toThrow(wrong);
    expect(() => bind(rule)).toThrow('rule.Service.Call');
  });
});

describe('a response', () => {
  const respond = (rule: Rule, json: JsonValue, options: JsonOptions = {}): string => {
    const [binding] = bind(rule) as [Binding];
    const { types } = testDescriptors();
    const bytes = new Transcoder(bind({ post: '/', body: '*' })[0]!, types, {}).request(
      [],
      '',
    )(JSON.stringify(json));
    return new Transcoder(binding, types, options).response(fromBinary(binding.method.output, bytes));
  };

  it.each<[string | undefined, JsonValue, string]>([
    [undefined, { text: 'a' }, '{"text":"a"}'],
    [undefined, {}, '{}'],
    ['book', { book: { title: 'a' } }, '{"title":"a"}'],
    ['book', {}, 'null'],
    ['texts', { texts: ['a'] }, '["a"]'],
    ['texts', {}, '[]'],
    ['counts', {}, '{}'],
    ['text', {}, '""'],
    ['an_int64', {}, '"0"'],
    ['colour', {}, '"COLOUR_UNSPECIFIED"'],
    ['renamed', { otherName: 'a' }, '"a"'],
    ['timestamp', { timestamp: '2020-01-02T03:04:05Z' }, '"2020-01-02T03:04:05Z"'],
  ])('with response_body %s of %j is %s', (field, json, expected) => {
    expect(respond({ get: '/', ...(field && { responseBody: field }) }, json)).toBe(expected);
  });

  it('is written as the options say', () => {
    const json = { otherName: 'a', colour: 'COLOUR_RED', book: {} };
    expect(respond({ get: '/' }, json, { useProtoFieldName: true })).toBe(
      '{"colour":"COLOUR_RED","book":{},"renamed":"a"}',
    );
    expect(respond({ get: '/' }, json, { enumAsInteger: true })).toBe(
      '{"colour":1,"book":{},"otherName":"a"}',
    );
    expect(JSON.parse(respond({ get: '/' }, json, { alwaysEmitImplicit: true }))).toMatchObject({
      text: '',
      anInt64: '0',
      texts: [],
      book: { name: '', isbn: '0' },
    });
    expect(respond({ get: '/', responseBody: 'renamed' }, json, { useProtoFieldName: true })).toBe('"a"');
  });
});
