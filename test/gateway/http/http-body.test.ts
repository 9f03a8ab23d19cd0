import { describe, expect, it } from 'vitest';
import { decodeOdd, encodeOdd, startOdd } from '../odd.js';
import { type Readable, request, sendRaw, type Unary, type Writable } from '../support.js';

const PIXELS = Buffer.from([0x89, 0x50, 0, 0xff, 0x0a, 0x0d]);
const body = (contentType: string, data: Buffer) =>
  encodeOdd('google.api.HttpBody', { contentType, data: data.toString('base64') });

async function bytesAt(url: string, init?: RequestInit) {
  const response = await fetch(url, init);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    sniff: response.headers.get('x-content-type-options'),
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

describe('google.api.HttpBody in an answer', () => {
  const download: Unary = ({ request: bytes }, callback) => {
    const { name = '' } = decodeOdd('odd.v1.File', bytes) as { name?: string };
    callback(null, body(name, PIXELS));
  };

  it('is its bytes, of its type', async () => {
    const { url } = await startOdd({ Download: download });
    expect(await bytesAt(`${url}/v1/files/image/png`)).toEqual({
      status: 200,
      type: 'image/png',
      sniff: 'nosniff',
      bytes: PIXELS,
    });
  });

  it.each(['', 'nonsense', 'text/html%0d%0aSet-Cookie: a=b', 'text/html%00'])(
    'with the type %j is bytes of no type',
    async (type) => {
      const { url } = await startOdd({ Download: download });
      expect(await bytesAt(`${url}/v1/files/${type}`)).toMatchObject({
        status: 200,
        type: 'application/octet-stream',
        bytes: PIXELS,
      });
    },
  );

  const tail: Writable = (call) => {
    const { name } = decodeOdd('odd.v1.File', call.request) as { name?: string };
    if (name !== 'none') call.write(body('text/csv', Buffer.from('a,b\n')));
    if (name !== 'none') call.write(body('ignored/later', Buffer.from('c')));
    if (name === 'fail') call.emit('error', { code: 9, details: 'enough' });
    else call.end();
  };

  it('is, as a stream, all bytes one behind the other', async () => {
    const { url } = await startOdd({ Tail: tail });
    expect(await bytesAt(`${url}/v1/tail/all`)).toMatchObject({
      status: 200,
      type: 'text/csv',
      bytes: Buffer.from('a,b\nc'),
    });
    expect(await bytesAt(`${url}/v1/tail/none`)).toMatchObject({ status: 200, bytes: Buffer.alloc(0) });
  });

  it('that cannot be read ends its call', async () => {
    let cancelled = false;
    const garbage: Writable = (call) => {
      call.on('cancelled', () => {
        cancelled = true;
      });
      call.write(Buffer.from([0xff]));
    };
    const { url } = await startOdd({ Tail: garbage });
    expect((await request(`${url}/v1/tail/x`)).status).toBe(500);
    await expect.poll(() => cancelled).toBe(true);
  });

  it('that fails on the way is seen to be incomplete', async () => {
    const { port } = await startOdd({ Tail: tail });
    const text = await sendRaw(port, 'GET /v1/tail/fail HTTP/1.1\r\nHost: x\r\n\r\n', false);
    expect(text).toContain('a,b\n');
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(text).not.toContain('enough');
  });
});

describe('google.api.HttpBody in a request', () => {
  const png = { headers: { 'content-type': 'image/png' }, body: PIXELS };

  it('is the bytes and the type of the body', async () => {
    const { url } = await startOdd();
    expect((await request(`${url}/v1/files/me`, { method: 'POST', ...png })).json).toEqual({
      name: 'me',
      file: { contentType: 'image/png', data: PIXELS.toString('base64') },
    });
    for (const path of ['/v1/store', '/v1/files/me']) {
      const method = path === '/v1/store' ? 'POST' : 'PUT';
      expect(await bytesAt(url + path, { method, ...png })).toMatchObject({
        status: 200,
        type: 'image/png',
        bytes: PIXELS,
      });
    }
  });

  it('may be empty, and is bounded', async () => {
    const { url } = await startOdd({}, { maxBodyBytes: 10 });
    expect(await bytesAt(`${url}/v1/store`, { method: 'POST' })).toMatchObject({
      status: 200,
      bytes: Buffer.alloc(0),
    });
    expect((await bytesAt(`${url}/v1/store`, { method: 'POST', body: 'x'.repeat(11) })).status).toBe(413);
  });

  it('is, as a stream, a message for each part that comes, the type with the first', async () => {
    const append: Readable = (call, callback) => {
      const parts: { name?: string; file?: { contentType?: string; data?: string } }[] = [];
      call.on('data', (bytes: Buffer) => parts.push(decodeOdd('odd.v1.Sent', bytes) as (typeof parts)[0]));
      call.on('end', () => {
        const bytes = Buffer.concat(parts.map(({ file }) => Buffer.from(file?.data ?? '', 'base64')));
        const types = parts.map(({ file }) => file?.contentType ?? '').join('');
        const names = new Set(parts.map(({ name }) => name));
        callback(
          null,
          encodeOdd('odd.v1.Sent', {
            name: [...names].join(),
            file: { contentType: types, data: bytes.toString('base64') },
          }),
        );
      });
    };
    const { url } = await startOdd({ Append: append });
    const large = Buffer.alloc(300_000, 'x');
    const init = { method: 'POST', headers: { 'content-type': 'text/x' }, body: large };
    const { json } = await request(`${url}/v1/append/log`, init);
    expect(json).toMatchObject({ name: 'log', file: { contentType: 'text/x' } });
    expect(Buffer.from(json.file.data, 'base64').equals(large)).toBe(true);
  });
});
