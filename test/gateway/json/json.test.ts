import type { JsonValue } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { request, startGateway } from '../support.js';

const post = (body: JsonValue): RequestInit => ({ method: 'POST', body: JSON.stringify(body) });

/** JSON of a message of every kind, and what comes back of it: the same, where it is canonical. */
const cases: readonly (readonly [name: string, sent: JsonValue, answered?: JsonValue])[] = [
  ['nothing', {}],
  ['doubles', { aDouble: 1.5, aFloat: -0.25 }],
  [
    'floats, with no more digits than they have',
    { aFloat: 0.1, floats: [3.4028235e38, 1e-45, 16777216, 1e21], floatValue: -2.3 },
  ],
  [
    'floats in an Any',
    { any: { '@type': 'type.googleapis.com/test.gateway.v1.Everything', aFloat: 0.1, aDouble: 0.1 } },
  ],
  ['doubles that are none', { aDouble: 'NaN', aFloat: '-Infinity' }],
  ['32-bit integers', { anInt32: -2147483648, aUint32: 4294967295 }],
  ['32-bit integers as strings', { anInt32: '-7', aUint32: '7' }, { anInt32: -7, aUint32: 7 }],
  [
    '64-bit integers as strings',
    {
      anInt64: '-9223372036854775808',
      aUint64: '18446744073709551615',
      aSint64: '-1',
      aFixed64: '9007199254740993',
    },
  ],
  ['64-bit integers as numbers', { anInt64: 5, int64s: [1, '2'] }, { anInt64: '5', int64s: ['1', '2'] }],
  ['booleans', { aBool: true }],
  ['text', { text: 'a "quoted" \u2603 \u{1f600}\n\u0000' }],
  ['bytes', { someBytes: '+/8=' }],
  ['bytes, safe for URLs and unpadded', { someBytes: '-_8' }, { someBytes: '+/8=' }],
  ['enums by name', { colour: 'COLOUR_RED', colours: ['COLOUR_BLUE', 'COLOUR_RED'] }],
  ['enums by number', { colour: 1, colours: [2, 7] }, { colour: 'COLOUR_RED', colours: ['COLOUR_BLUE', 7] }],
  ['defaults', { text: '', anInt64: '0', texts: [], counts: {}, colour: 'COLOUR_UNSPECIFIED' }, {}],
  ['nulls', { text: null, book: null, texts: null, counts: null, timestamp: null }, {}],
  ['presence', { maybe: '', book: {}, this: '' }],
  ['lists', { texts: ['', 'a', 'a'] }],
  ['maps', { counts: { a: 1, '': 0, __proto__x: 2 }, books: { '-5': { title: 'x' } } }],
  ['names as in the proto', { a_bool: true, renamed: 'x' }, { aBool: true, otherName: 'x' }],
  ['Any', { any: { '@type': 'type.googleapis.com/test.gateway.v1.Book', title: 'x', isbn: '9' } }],
  [
    'Any of a well-known type',
    { any: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1.500s' } },
  ],
  [
    'Any of an error detail',
    { any: { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'x', metadata: { a: 'b' } } },
  ],
  ['Timestamp', { timestamp: '2020-02-29T23:59:59.123456789Z' }],
  [
    'Timestamp with an offset',
    { timestamp: '2020-01-01T01:00:00+01:00' },
    { timestamp: '2020-01-01T00:00:00Z' },
  ],
  ['Timestamp, first and last', { timestamp: '0001-01-01T00:00:00Z' }],
  ['Duration', { duration: '-3.000001s' }],
  ['FieldMask', { mask: 'book.givenName,text' }],
  ['Struct', { struct: { a: [1, 'x', null, true, { b: {} }], '': 0.5 } }],
  ['Value', { value: [1, { a: null }] }],
  ['Value null', { value: null }],
  ['ListValue', { list: [[], {}, 'x', null] }],
  ['Empty', { empty: {} }],
  [
    'wrappers',
    {
      doubleValue: 0,
      floatValue: 1.5,
      int64Value: '-9223372036854775808',
      uint64Value: '18446744073709551615',
      int32Value: 0,
      uint32Value: 7,
      boolValue: false,
      stringValue: '',
      bytesValue: 'aGk=',
    },
  ],
];

describe('the JSON of messages', () => {
  it('is the canonical one, both ways, through gateway and server', async () => {
    const { url } = await startGateway();
    for (const [name, sent, answered = sent] of cases) {
      const { status, json } = await request(`${url}/v1/mirror`, post(sent));
      expect({ name, status, json }).toEqual({ name, status: 200, json: answered });
    }
  });

  it('may be any of a rule: the path, the query, a field as the body, a field as the answer', async () => {
    const { url } = await startGateway();
    expect((await request(`${url}/v1/mirror/a%2Fb?book.isbn=5&texts=x&texts=y`)).json).toEqual({
      text: 'a/b',
      book: { isbn: '5' },
      texts: ['x', 'y'],
    });
    const patch = { method: 'PATCH', body: '{"title":"t"}' };
    expect((await request(`${url}/v1/shelves/1/books/2?dry_run=true`, patch)).json).toEqual({
      name: 'shelves/1/books/2',
      title: 't',
    });
    expect((await request(`${url}/v1/titles`, { method: 'PUT', body: '["a"]' })).text).toBe('["a"]');
    expect((await request(`${url}/v1/shelves/1/books/2`, { method: 'DELETE' })).text).toBe('{}');
    expect((await request(`${url}/v1/books/a/b:find`)).json).toEqual({ name: 'a/b' });
    const lock = { method: 'LOCK', body: '{"title":"t"}' };
    expect((await request(`${url}/v1/shelves/1/books/2`, lock)).json).toMatchObject({ title: 't' });
  });

  it('may be of unannotated methods, when that is asked for', async () => {
    const path = '/test.gateway.v1.Shelf/Unannotated';
    const without = await startGateway();
    expect((await request(without.url + path, post({ title: 'x' }))).status).toBe(404);
    const all = await startGateway({ all: true });
    expect((await request(all.url + path, post({ title: 'x' }))).json).toEqual({ title: 'x' });
    expect((await request(all.url + path)).status).toBe(405);
  });

  it('refuses unknown fields by name when that is asked for', async () => {
    const { url } = await startGateway({ json: { unknownFields: 'refuse' } });
    const { status, json } = await request(`${url}/v1/mirror`, post({ nobody: 1 }));
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: 3, message: expect.stringContaining('"nobody"') });
    expect((await request(`${url}/v1/mirror?nobody=1`)).json.message).toContain('"nobody"');
  });
});
