import type { JsonValue } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import { maskOf } from '../../../src/gateway/json/field-mask.js';
import type { JsonOptions } from '../../../src/gateway/json/options.js';
import type { Binding } from '../../../src/gateway/rules/http-rule.js';
import { Requests } from '../../../src/gateway/rules/requests.js';
import { Responses } from '../../../src/gateway/rules/responses.js';
import { testDescriptors } from '../support.js';
import { become, bind, type Rule, refusal } from './rule-support.js';

beforeAll(() => void testDescriptors());

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

  it('keeps what is at such a key of a struct, too', () => {
    const body = '{"struct":{"__proto__":{"constructor":1},"toString":"x"},"value":{"__proto__":[]}}';
    expect(JSON.stringify(become(bindings(), 'POST /v1', body))).toBe(body);
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

describe('a PATCH that does not say what it changes', () => {
  const rule: Rule = { patch: '/v1', body: 'book' };
  it.each<[string, string, JsonValue]>([
    ['/v1', '{"title":"t","author":{"givenName":"g"}}', 'title,author.givenName'],
    ['/v1', '{"isbn":null,"author":{}}', 'author,isbn'],
    ['/v1', '{"author":{"teacher":{"family_name":"f"}},"nobody":1}', 'author.teacher.familyName'],
    ['/v1?updateMask=name', '{"title":"t"}', 'name'],
    ['/v1?update_mask=', '{"title":"t"}', 'title'],
  ])('PATCH %s of %s changes %s', (target, body, mask) => {
    const { updateMask } = become(bind(rule, 'UpdateBookRequest'), `PATCH ${target}`, body) as {
      updateMask: string;
    };
    expect(updateMask.split(',').sort()).toEqual(String(mask).split(',').sort());
  });

  it.each<[Rule, string, string]>([
    [rule, 'PATCH /v1', ''],
    [rule, 'PATCH /v1', '{}'],
    [{ put: '/v1', body: 'book' }, 'PUT /v1', '{"title":"t"}'],
    [{ patch: '/v1', body: '*' }, 'PATCH /v1', '{"book":{"title":"t"}}'],
  ])('%j, %s %s changes what it says', (each, line, body) => {
    expect(become(bind(each, 'UpdateBookRequest'), line, body)).not.toHaveProperty('updateMask');
  });

  it('is refused when the mask would be many times the body', () => {
    const { types } = testDescriptors();
    const everything = types.getMessage('test.gateway.v1.Everything')!;
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, 1]));
    const json = { struct: { ['x'.repeat(100_000)]: many } };
    expect(() => maskOf(everything, json)).toThrow('update_mask');
  });

  it('changes lists, maps and whole values as such, and a struct in part', () => {
    const { types } = testDescriptors();
    const everything = types.getMessage('test.gateway.v1.Everything')!;
    const json = {
      texts: ['a'],
      counts: { a: 1 },
      timestamp: '2020-01-01T00:00:00Z',
      any: { '@type': 'x', a: 1 },
      struct: { a: { b: 1, c: {} }, d: [1] },
      int64Value: '1',
      otherName: 'x',
    };
    expect(maskOf(everything, json)).toEqual([
      'any',
      'counts',
      'int64_value',
      'renamed',
      'struct.a.b',
      'struct.a.c',
      'struct.d',
      'texts',
      'timestamp',
    ]);
  });
});

describe('a response', () => {
  const respond = (rule: Rule, json: JsonValue, options: JsonOptions = {}): string => {
    const [binding] = bind(rule) as [Binding];
    const { types } = testDescriptors();
    const bytes = new Requests(bind({ post: '/', body: '*' })[0]!, types, {}).request(
      [],
      '',
    )(JSON.stringify(json));
    return new Responses(binding, types, options).json(bytes);
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
