import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { staticRegistry } from '../../../src/registry/static.js';
import {
  listen,
  memoryRegistry,
  request,
  sendRaw,
  startGateway,
  testDescriptors,
  type Unary,
} from '../support.js';

const post = (body: string | Uint8Array<ArrayBuffer>): RequestInit => ({ method: 'POST', body });

/** An answer as it came over the wire. */
function parsed(text: string): { status: number; json: unknown } {
  const [head, body] = text.split('\r\n\r\n') as [string, string];
  return { status: Number(head.split(' ')[1]), json: JSON.parse(body) };
}

describe('bounds on a request', () => {
  it('of its body: 413', async () => {
    const { url, port } = await startGateway({ maxBodyBytes: 100 });
    const large = JSON.stringify({ text: 'x'.repeat(100) });
    expect(await request(`${url}/v1/mirror`, post(large))).toMatchObject({
      status: 413,
      json: { code: 8, message: 'the body is larger than 100 bytes', details: [] },
    });
    expect((await request(`${url}/v1/mirror`, post(large.slice(0, 50).padEnd(100)))).status).toBe(400);
    const chunk = `32\r\n${' '.repeat(50)}\r\n`;
    const chunked = `POST /v1/mirror HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(9)}0\r\n\r\n`;
    expect(parsed(await sendRaw(port, chunked))).toMatchObject({ status: 413, json: { code: 8 } });
  });

  it('of its body, however much larger it is, and then goes on', async () => {
    const { url, app } = await startGateway({ maxBodyBytes: 1_000 });
    let connections = 0;
    app.server.on('connection', () => connections++);
    const large = post(Buffer.alloc(8 * 1024 * 1024, 'x'));
    for (let i = 0; i < 5; i++) expect((await request(`${url}/v1/mirror`, large)).status).toBe(413);
    for (let i = 0; i < 5; i++) expect((await request(`${url}/nope`, large)).status).toBe(404);
    expect((await request(`${url}/v1/mirror`)).status).toBe(200);
    expect(connections).toBeLessThanOrEqual(11);
  });

  it('of its head: 431', async () => {
    const { port } = await startGateway({ maxHeaderBytes: 1_000 });
    const raw = `GET /v1/mirror HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1_000)}\r\n\r\n`;
    expect(parsed(await sendRaw(port, raw))).toMatchObject({ status: 431, json: { code: 8, details: [] } });
    const target = `GET /v1/mirror?text=${'x'.repeat(2_000)} HTTP/1.1\r\nHost: x\r\n\r\n`;
    expect(parsed(await sendRaw(port, target)).status).toBe(431);
  });

  it('of how long its body takes: 408', async () => {
    const { port } = await startGateway({ timeoutMs: 100 });
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('POST /v1/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{');
    const [data] = await once(socket, 'data');
    expect(parsed(String(data))).toMatchObject({ status: 408, json: { code: 4 } });
    socket.destroy();
  });

  it('of how many are open: 429, until one is done', async () => {
    const waiting: (() => void)[] = [];
    const { url } = await startGateway({
      maxOpenRequests: 2,
      handlers: {
        Mirror: ((call, callback) => void waiting.push(() => callback(null, call.request))) satisfies Unary,
      },
    });
    const open = [request(`${url}/v1/mirror`), request(`${url}/v1/mirror`)];
    while (waiting.length < 2) await new Promise(setImmediate);
    const { status, headers, json } = await request(`${url}/v1/mirror`);
    expect(status).toBe(429);
    expect(headers.get('retry-after')).toBe('1');
    expect(json).toMatchObject({ code: 8, details: [] });
    expect((await request(`${url}/healthz`)).status).toBe(200);
    for (const answer of waiting) answer();
    expect((await Promise.all(open)).map((each) => each.status)).toEqual([200, 200]);
    const next = request(`${url}/v1/mirror`);
    while (waiting.length < 3) await new Promise(setImmediate);
    waiting[2]!();
    expect((await next).status).toBe(200);
  });
});

describe('a body that is not a text', () => {
  it('is refused', async () => {
    const { url } = await startGateway();
    expect((await request(`${url}/v1/mirror`, post(Buffer.from([0x22, 0xff, 0x22])))).json.message).toContain(
      'UTF-8',
    );
    const gzipped = await request(`${url}/v1/mirror`, {
      ...post('{}'),
      headers: { 'content-encoding': 'gzip' },
    });
    expect(gzipped).toMatchObject({ status: 415, json: { code: 3 } });
  });
});

describe('a pool that has no room', () => {
  it('with its queue full: 429', async () => {
    const { url } = await startGateway({
      pool: { maxPendingPerEndpoint: 1, queue: { max: 0 } },
      handlers: { Mirror: () => {} },
    });
    const client = new AbortController();
    const first = request(`${url}/v1/mirror`, { signal: client.signal }).catch(() => {});
    let answer = await request(`${url}/v1/mirror`, { headers: { 'grpc-timeout': '1S' } });
    // Whichever came first has the place.
    if (answer.status === 504) answer = await request(`${url}/v1/mirror`);
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.json).toEqual({
      code: 8,
      message: 'too many requests are waiting for this service',
      details: [],
    });
    client.abort();
    await first;
  });

  it.each(['/v1/mirror', '/v1/watch'])('with nothing READY within the deadline, at %s: 503', async (path) => {
    const { registry } = memoryRegistry();
    const pool = new Pool({ registry, service: 'shelf' });
    const { url } = await listen(pool, false, {
      services: [{ pool, descriptors: testDescriptors() }],
      timeoutMs: 100,
    });
    const { status, headers, json } = await request(url + path);
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('1');
    expect(json).toEqual({ code: 14, message: 'no server of this service was ready in time', details: [] });
    expect((await request(url + path, { headers: { 'grpc-timeout': '100m' } })).status).toBe(503);
  });

  it('when it is closed: 503', async () => {
    const { url, pool } = await startGateway();
    await pool.close();
    for (const path of ['/v1/mirror', '/v1/watch']) {
      expect(await request(url + path)).toMatchObject({ status: 503, json: { code: 14 } });
    }
  });
});

describe('what Node’s HTTP server refuses', () => {
  it.each<[string, string, number]>([
    ['what is not HTTP', 'nonsense\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['an unknown method', 'LOOK / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET /v1/mirror HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n', 400],
    ['a header without a name', 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n', 400],
    ['a header with a control character', 'GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n', 400],
    [
      'two lengths',
      'POST /v1/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
      400,
    ],
    [
      'a length beside chunks',
      'POST /v1/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
      400,
    ],
    ['a length that is none', 'POST /v1/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
    [
      'a chunk that is none',
      'POST /v1/mirror HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    ['a body that is cut', 'POST /v1/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{', 400],
    ['an expectation', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n', 417],
    ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
    ['a path that is not decodable', 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a path that is not UTF-8', 'GET /v1/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['an upgrade', 'GET /nope HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', 404],
  ])('%s is answered with JSON', async (_name, bytes, status) => {
    const { port } = await startGateway();
    expect(parsed(await sendRaw(port, bytes))).toEqual({
      status,
      json: { code: expect.any(Number), message: expect.any(String), details: [] },
    });
  });

  it('does not tear an answer that is on its way', async () => {
    const { port } = await startGateway({
      handlers: {
        Mirror: ((call, callback) => setTimeout(callback, 50, null, call.request)) satisfies Unary,
      },
    });
    const text = await sendRaw(
      port,
      'GET /v1/mirror?text=a HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n',
      false,
    );
    expect(text.match(/^HTTP\/1\.1 \d+/gm)).toHaveLength(1);
  });
});

describe('absolute targets', () => {
  it('are taken for their paths', async () => {
    const { port } = await startGateway();
    const raw = 'GET http://x:80/v1/mirror?text=a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    expect(parsed(await sendRaw(port, raw, false))).toEqual({ status: 200, json: { text: 'a' } });
  });
});

describe('a gateway that cannot be', () => {
  const services = () => {
    const pool = new Pool({ registry: staticRegistry(['127.0.0.1:1']), service: 'shelf' });
    return { pool, options: { services: [{ pool, descriptors: testDescriptors() }] } };
  };

  it.each([
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ maxBodyBytes: 0.5 }, 'maxBodyBytes'],
    [{ maxOpenRequests: -1 }, 'maxOpenRequests'],
    [{ maxHeaderBytes: Number.NaN }, 'maxHeaderBytes'],
  ])('says so: %j', async (bad, named) => {
    const { pool, options } = services();
    await expect(listen(pool, false, { ...options, ...bad })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(named),
    });
    await pool.close();
  });
});
