import { describe, expect, it } from 'vitest';
import { startOdd } from '../odd.js';
import { request, startGateway } from '../support.js';

const post = (type: string | undefined, body = '{"text":"a"}'): RequestInit => ({
  method: 'POST',
  // As bytes: of a text, fetch would say that it is one.
  body: Buffer.from(body),
  headers: type === undefined ? {} : { 'content-type': type },
});

describe('jsonOnly', () => {
  it.each([
    ['application/json', 200],
    ['application/json; charset=utf-8', 200],
    ['Application/JSON', 200],
    ['application/x-ndjson', 200],
    ['application/merge-patch+json', 200],
    ['application/x-www-form-urlencoded', 415],
    ['multipart/form-data; boundary=x', 415],
    ['text/plain', 415],
    ['text/plain; application/json', 415],
    ['application/jsonp', 415],
    [undefined, 415],
  ])('%s: %d', async (type, expected) => {
    const { url } = await startGateway({ jsonOnly: true });
    const { status, json } = await request(`${url}/v1/mirror`, post(type));
    expect(status).toBe(expected);
    if (status === 415)
      expect(json).toMatchObject({ code: 3, message: expect.stringContaining('application/json') });
  });

  it('asks nothing of a request without a body', async () => {
    const { url } = await startGateway({ jsonOnly: true });
    expect((await request(`${url}/v1/mirror`, { method: 'POST' })).status).toBe(200);
    expect((await request(`${url}/v1/mirror/a`)).status).toBe(200);
  });

  it('takes what is as it is, of any type that no form has', async () => {
    const { url } = await startOdd({}, { jsonOnly: true });
    expect((await request(`${url}/v1/store`, post('image/png'))).status).toBe(200);
    expect((await request(`${url}/v1/store`, post('text/plain'))).status).toBe(415);
    expect((await request(`${url}/v1/store`, post(undefined))).status).toBe(415);
  });

  it('is off by default: a form is JSON', async () => {
    const { url } = await startGateway();
    expect((await request(`${url}/v1/mirror`, post('application/x-www-form-urlencoded'))).json).toEqual({
      text: 'a',
    });
  });
});

describe('Content-Encoding', () => {
  it.each([
    ['identity', 200],
    ['Identity', 200],
    ['identity, IDENTITY', 200],
    ['gzip', 415],
    ['identity, gzip', 415],
    ['identityx', 415],
  ])('%s: %d', async (encoding, status) => {
    const { url } = await startGateway();
    const init = { method: 'POST', body: '{}', headers: { 'content-encoding': encoding } };
    expect((await request(`${url}/v1/mirror`, init)).status).toBe(status);
  });
});

describe('null as a body', () => {
  it('is the empty message', async () => {
    const { url } = await startGateway();
    expect((await request(`${url}/v1/mirror`, { method: 'POST', body: ' null ' })).text).toBe('{}');
    const patch = { method: 'PATCH', body: 'null' };
    expect((await request(`${url}/v1/shelves/1/books/2`, patch)).json).toEqual({ name: 'shelves/1/books/2' });
  });
});
