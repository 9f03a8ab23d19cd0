import { Server, ServerCredentials } from '@grpc/grpc-js';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GreeterService } from '../../generated/helloworld.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import { type Descriptors, readDescriptors } from '../../src/gateway/index.js';
import { staticRegistry } from '../../src/registry/static.js';
import { image } from '../support/image.js';
import { greeter } from '../support/services.js';
import { listen, request } from './support.js';

let descriptors: Descriptors;
beforeAll(() => {
  descriptors = readDescriptors(image('project'));
});

/** The greeting service of the original system behind a gateway. */
async function hello(): Promise<{ url: string; address: string }> {
  const server = new Server();
  let address = '';
  server.addService(GreeterService, greeter({ address: () => address }));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  address = `127.0.0.1:${port}`;
  const pool = new Pool({ registry: staticRegistry([address]), service: 'hello_service' });
  const { url } = await listen(pool, true, {
    services: [{ pool, descriptors, services: ['helloworld.Greeter'] }],
  });
  return { url: `${url}/hello`, address };
}

/** What curl sends with -d. */
const post = (body: string): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body,
});

describe('what the original gateway answers on /hello', () => {
  it('a good body', async () => {
    const { url, address } = await hello();
    const { status, headers, text } = await request(url, post('{"name": "fromGW"}'));
    expect(status).toBe(200);
    expect(text).toBe(`{"message":"Hello fromGW from ${address}"}`);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('content-length')).toBe(String(text.length));
    expect(headers.get('grpc-metadata-content-type')).toMatch(/^application\/grpc/);
  });

  it.each([
    ['a number for a string', '{"name": 5}'],
    ['broken JSON', '{"name": '],
  ])('%s', async (_, body) => {
    const { url } = await hello();
    const { status, headers, json } = await request(url, post(body));
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/json');
    expect(json).toEqual({ code: 3, message: expect.any(String), details: [] });
  });

  it('GET', async () => {
    const { url } = await hello();
    const { status, headers, json } = await request(url);
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('POST');
    expect(json).toEqual({ code: 12, message: 'Method Not Allowed', details: [] });
  });

  it('an empty body', async () => {
    const { url, address } = await hello();
    expect(await request(url, { method: 'POST' })).toMatchObject({
      status: 200,
      text: `{"message":"Hello  from ${address}"}`,
    });
    expect((await request(url, post('  '))).status).toBe(200);
  });

  it('an unknown path', async () => {
    const { url } = await hello();
    for (const path of ['/nope', '/', '/:verb']) {
      const { status, json } = await request(`${url}${path}`, post('{}'));
      expect(status).toBe(404);
      expect(json).toEqual({ code: 5, message: 'Not Found', details: [] });
    }
  });

  it('an unknown field', async () => {
    const { url, address } = await hello();
    const { status, json } = await request(url, post('{"name": "x", "nobody": {"a": 1}}'));
    expect(status).toBe(200);
    expect(json).toEqual({ message: `Hello x from ${address}` });
  });
});
