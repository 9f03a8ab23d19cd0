import { lookup } from 'node:dns/promises';
import { fastify } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { gateway } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import {
  listen,
  memoryRegistry,
  request,
  serveBytes,
  startGateway,
  testDescriptors,
  type Unary,
  type Writable,
} from '../support.js';

describe('health', () => {
  it('is healthy at once, and ready when something is READY, until it is about to close', async () => {
    const { registry, registrar } = memoryRegistry();
    const descriptors = testDescriptors();
    const [first, second] = ['shelf', 'streams'].map((service) => new Pool({ registry, service })) as [
      Pool,
      Pool,
    ];
    onTestFinished(() => second.close());
    const closing = new AbortController();
    const { url } = await listen(first, false, {
      services: [
        { pool: first, descriptors, services: ['test.gateway.v1.Shelf'] },
        { pool: second, descriptors, services: ['test.gateway.v1.Streams'] },
      ],
      closing: closing.signal,
    });
    expect(await request(`${url}/healthz`)).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(await request(`${url}/readyz`)).toMatchObject({
      status: 503,
      json: { status: 'not ready', services: { shelf: { ready: 0 }, streams: { ready: 0 } } },
    });

    const { address } = await serveBytes(descriptors.services);
    registrar.register('shelf', { address });
    await first.ready({ timeoutMs: 10_000 });
    expect(await request(`${url}/readyz`)).toMatchObject({
      status: 200,
      json: { status: 'ready', services: { shelf: { ready: 1 }, streams: { ready: 0 } } },
    });
    expect((await request(`${url}/v1/mirror`)).status).toBe(200);

    closing.abort();
    expect(await request(`${url}/readyz`)).toMatchObject({ status: 503, json: { status: 'closing' } });
    expect((await request(`${url}/v1/mirror`)).status).toBe(200);
    expect((await request(`${url}/healthz`)).status).toBe(200);
  });

  it('may be left out', async () => {
    const { url } = await startGateway({ health: false });
    for (const path of ['/healthz', '/readyz']) expect((await request(url + path)).status).toBe(404);
  });
});

describe('closing', () => {
  it('waits for the requests in flight', async () => {
    let finish = () => {};
    let begun = () => {};
    const underWay = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const { url, app } = await startGateway({
      handlers: {
        Mirror: ((call, callback) => {
          finish = () => callback(null, call.request);
          begun();
        }) satisfies Unary,
      },
    });
    const answer = request(`${url}/v1/mirror?text=a`);
    await underWay;
    const closed = app.close();
    await expect.poll(() => app.server.listening).toBe(false);
    await expect(request(`${url}/v1/mirror`)).rejects.toThrow();
    finish();
    expect(await answer).toMatchObject({ status: 200, json: { text: 'a' } });
    await closed;
  });
});

// Fastify has a server for each, where there are several.
const addresses = await lookup('localhost', { all: true });

describe('closing with a stream that does not end', () => {
  it.each(addresses)('cuts it in time, at $address', async ({ address, family }) => {
    const host = family === 6 ? `[${address}]` : address;
    let cancelled = () => {};
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const { app, port } = await startGateway({
      host: 'localhost',
      drainTimeoutMs: 200,
      handlers: {
        Watch: ((call) => {
          call.on('cancelled', cancelled);
          call.write(Buffer.alloc(0));
        }) satisfies Writable,
      },
    });
    const response = await fetch(`http://${host}:${port}/v1/watch`);
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('{}\n');
    const closed = app.close();
    await expect(reader.read()).rejects.toThrow();
    await closed;
    await gone;
  });
});

describe('CORS', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'PATCH' },
  };

  it('is off by default', async () => {
    const { url } = await startGateway();
    expect((await request(`${url}/v1/mirror`, preflight)).status).toBe(405);
    const { headers } = await request(`${url}/v1/mirror`, { headers: { origin: 'https://a.example' } });
    expect(headers.has('access-control-allow-origin')).toBe(false);
  });

  it('lets every origin in when it is on', async () => {
    const { url } = await startGateway({ cors: true });
    const { status, headers } = await request(`${url}/v1/mirror`, preflight);
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-methods')).toContain('PATCH');
    for (const path of ['/v1/mirror', '/v1/mirror?an_int32=x', '/nope', '/v1/watch']) {
      const answer = await request(url + path, { headers: { origin: 'https://a.example' } });
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      expect(answer.headers.get('access-control-expose-headers')).toBe('*');
    }
  });

  it('lets in those that are named', async () => {
    const { url } = await startGateway({ cors: { origin: ['https://a.example'] } });
    const allowed = async (origin: string) =>
      (await request(`${url}/v1/mirror`, { headers: { origin } })).headers.get('access-control-allow-origin');
    expect(await allowed('https://a.example')).toBe('https://a.example');
    expect(await allowed('https://b.example')).toBeNull();
  });
});

describe('the plugin in a Fastify of somebody else', () => {
  it('keeps to its prefix, and leaves the rest as it is', async () => {
    const descriptors = testDescriptors();
    const { address } = await serveBytes(descriptors.services);
    const pool = new Pool({ registry: staticRegistry([address]), service: 'shelf' });
    const app = fastify();
    onTestFinished(async () => {
      await app.close();
      await pool.close();
    });
    app.post('/own', async (incoming) => incoming.body);
    await app.register(gateway, { prefix: '/api', services: [{ pool, descriptors }] });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    await pool.ready({ timeoutMs: 10_000 });

    expect((await request(`${url}/api/v1/mirror/a?a_bool=1`)).json).toEqual({ text: 'a', aBool: true });
    expect((await request(`${url}/api/nope`)).json).toMatchObject({ code: 5 });
    expect((await request(`${url}/api/healthz`)).status).toBe(200);
    expect((await request(`${url}/api/openapi.json`)).json.servers).toEqual([{ url: '/api' }]);
    expect((await request(`${url}/api/docs/`)).text).toContain('swagger-ui');
    expect((await request(`${url}/v1/mirror`)).json).toMatchObject({ error: 'Not Found' });
    const own = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' };
    expect((await request(`${url}/own`, own)).json).toEqual({ a: 1 });
  });
});
