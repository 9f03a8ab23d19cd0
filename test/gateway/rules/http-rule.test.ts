import type { JsonValue } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import { testDescriptors } from '../support.js';
import { become, bind, type Rule } from './rule-support.js';

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
