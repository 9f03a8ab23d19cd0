import { describe, expect, it } from 'vitest';
import { startOdd } from '../odd.js';
import { request } from '../support.js';

/** What everything in this process has. */
const pristine = () => ({
  keys: Object.keys,
  own: Object.getOwnPropertyNames(Object.prototype).join(),
  ofObject: Object.getOwnPropertyNames(Object).join(),
});

describe('names of Object.prototype', () => {
  it('are names of fields like any other, in paths, queries, bodies and answers', async () => {
    const before = pristine();
    const { url } = await startOdd();
    const post = async (body: string) => (await request(`${url}/v1/own`, { method: 'POST', body })).text;
    const get = async (target: string) => (await request(url + target)).text;

    expect(await get('/v1/own/x')).toBe('{"constructor":{"keys":"x"}}');
    expect(await get('/v1/own?constructor.name=x&constructor.inner.keys=y')).toBe(
      '{"constructor":{"name":"x","inner":{"keys":"y"}}}',
    );
    expect(await get('/v1/own?__proto__=x')).toBe('{"__proto__":"x"}');
    expect(await get('/v1/proto/x')).toBe('"x"');
    expect(await get('/v1/constructor')).toBe('null');
    const all =
      '{"constructor":{"name":"a"},"__proto__":"b","hasOwnProperty":{"__proto__":"c","constructor":"d"}}';
    expect(JSON.parse(await post(all))).toEqual(JSON.parse(all));
    // What no field has is unknown, and nothing else.
    expect(await get('/v1/own?toString=x&valueOf.call=y&__defineGetter__=z')).toBe('{}');
    expect(pristine()).toEqual(before);
  });

  it('are in the document', async () => {
    const before = pristine();
    const { url } = await startOdd({}, { docs: true });
    const { text, json } = await request(`${url}/openapi.json`);
    expect(Object.keys(json.components.schemas['odd.v1.Own'].properties)).toEqual([
      'constructor',
      '__proto__',
      'hasOwnProperty',
      'many',
    ]);
    expect(text).toContain('"name":"constructor.keys"');
    expect(pristine()).toEqual(before);
  });
});

describe('templates as Envoy and grpc-gateway have them', () => {
  it.each([
    ['/v1/a/b/end', { name: 'a/b' }],
    ['/v1/end', {}],
    ['/v1/a%2Fb/end/end', { name: 'a%2Fb/end' }],
    ['/v1/x:a:b', { name: 'x' }],
    ['/v1/x:y:a:b', { name: 'x:y' }],
    ['/v1/a/b/and/c', { left: 'a/b', right: 'c' }],
    ['/v1/and/and/and/c%2Fd', { left: 'and/and', right: 'c/d' }],
  ])('%s', async (path, expected) => {
    const { url } = await startOdd();
    expect((await request(url + path)).json).toEqual(expected);
  });
});

describe('an extension of proto2', () => {
  it('is in requests and answers', async () => {
    const { url } = await startOdd();
    const body = '{"text":"a","[odd.v1.more]":"b"}';
    expect((await request(`${url}/v1/extended`, { method: 'POST', body })).text).toBe(body);
  });
});

describe('a parameter', () => {
  it.each([
    ['into a list', 'many.name=x', 'repeated'],
    ['into a list, for what it has not', 'many.nobody.name=x', 'repeated'],
    ['into a map', 'hasOwnProperty.a=x', 'repeated'],
    ['that is deep', `constructor${'.inner'.repeat(2_000)}.name=x`, 'deeper than 100'],
  ])('%s is refused in words', async (_, query, words) => {
    const { url } = await startOdd();
    const { status, json } = await request(`${url}/v1/own?${query}`);
    expect(status).toBe(400);
    expect(json.message).toContain(words);
    expect(json.message.length).toBeLessThanOrEqual(200);
  });
});
