import { Metadata } from '@grpc/grpc-js';
import { fastify } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CallError } from '../../../src/balancer/calls/call-error.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { BalancerError, Status } from '../../../src/base/errors.js';
import { failureOf } from '../../../src/gateway/http/failure.js';
import { gateway } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { request, serveBytes, startGateway, testDescriptors } from '../support.js';

const messageOf = (thrown: unknown) => failureOf(thrown, () => []).body.message;
const callError = (code: number, details: string, address = '10.1.2.3:50051', cause?: unknown) =>
  new CallError({ code, details, metadata: new Metadata() }, '/a.B/C', address, cause);

describe('an answer that says what went wrong', () => {
  it.each([
    [Status.UNAVAILABLE, 'No connection established. Last error: connect ECONNREFUSED 10.1.2.3:50051 (2026)'],
    [Status.UNAVAILABLE, 'connect ECONNREFUSED 10.9.9.9:1'],
    [Status.UNAVAILABLE, 'gone away: 10.9.9.9:1 and [fe80::1%lo]:80'],
    [Status.UNAVAILABLE, 'Name resolution failed for target dns:backend.internal:80'],
    [Status.DEADLINE_EXCEEDED, 'Deadline exceeded after 0.1s,remote_addr=10.1.2.3:50051'],
    [Status.NOT_FOUND, 'not here on 10.1.2.3:50051'],
    [Status.INTERNAL, 'it broke at [2001:db8::1]:443'],
  ])('of %d %j says no address', (code, details) => {
    expect(messageOf(callError(code, details))).not.toMatch(/10\.|\[|internal|2001|fe80/);
  });

  it.each([
    ['unix:/run/secret.sock', 'cannot write to /run/secret.sock', /secret/],
    ['backend.internal:80', 'backend.internal is on fire', /backend/],
  ])('of a server at %s does not name it', (address, details, name) => {
    expect(messageOf(callError(Status.INTERNAL, details, address))).not.toMatch(name);
  });

  it('leaves what a server says as it is', () => {
    for (const details of ['no book 10.1.2.3', 'version 1.2.3.4 of the shelf', 'a:b:c']) {
      expect(messageOf(callError(Status.NOT_FOUND, details))).toBe(details);
    }
  });

  it.each([
    ['a picker', new BalancerError('PICKER_FAILED', 'picker x: secret')],
    ['a picker, of a call', callError(13, 'secret', undefined, new BalancerError('PICKER_FAILED', 'secret'))],
    ['a plugin of credentials', callError(14, 'Getting metadata from plugin failed with error: secret')],
    ['a plugin', Object.assign(new Error('secret'), { statusCode: 403 })],
    ['a plugin with a code', Object.assign(new Error('secret'), { statusCode: 401, code: 'MINE' })],
    ['whoever throws nothing', undefined],
    ['whoever throws a string', 'secret'],
  ])('does not say what %s says', (_, thrown) => {
    expect(messageOf(thrown)).not.toContain('secret');
  });
});

describe('a request that is wrong at length', () => {
  const LONG = 'x'.repeat(5_000);
  it.each<[string, string, RequestInit]>([
    ['the name of a field', '/v1/mirror', { method: 'POST', body: `{"${LONG}":1}` }],
    ['a value', '/v1/mirror', { method: 'POST', body: `{"anInt32":"${LONG}"}` }],
    ['what is no JSON', '/v1/mirror', { method: 'POST', body: LONG }],
    ['a parameter', `/v1/mirror?${LONG}=1`, {}],
    ['the value of a parameter', `/v1/mirror?colour=${LONG}`, {}],
    ['what is no UTF-8', `/v1/mirror?a=${LONG}%ff`, {}],
    ['a time', '/v1/mirror', { headers: { 'grpc-timeout': LONG } }],
    ['the name of metadata', '/v1/mirror', { headers: { [`grpc-metadata-${LONG}!`]: 'a' } }],
    ['an encoding', '/v1/mirror', { method: 'POST', body: '{}', headers: { 'content-encoding': LONG } }],
    ['a type', '/v1/mirror', { method: 'POST', body: '{}', headers: { 'content-type': `text/${LONG}` } }],
  ])('in %s is not repeated', async (_, target, init) => {
    const { url } = await startGateway({ json: { unknownFields: 'refuse' }, jsonOnly: true });
    const headers = { 'content-type': 'application/json', ...init.headers };
    const { status, json } = await request(url + target, { ...init, headers });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(json.message.length).toBeLessThanOrEqual(200);
  });
});

describe('in front of a server', () => {
  it('that is gone, and behind a plugin that refuses, nothing of them is said', async () => {
    const descriptors = testDescriptors();
    const { address, server } = await serveBytes(descriptors.services);
    const pool = new Pool({ registry: staticRegistry([address]), service: 'shelf' });
    const app = fastify();
    onTestFinished(async () => {
      await app.close();
      await pool.close();
    });
    app.addHook('onRequest', async (incoming) => {
      if (incoming.headers['x-plugin'] !== undefined)
        throw Object.assign(new Error(`no ${address}`), { statusCode: 403 });
    });
    await app.register(gateway, { services: [{ pool, descriptors }], timeoutMs: 500 });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    await pool.ready({ timeoutMs: 10_000 });
    const plugin = await request(`${url}/v1/mirror`, { headers: { 'x-plugin': '1' } });
    expect(plugin).toMatchObject({ status: 403, json: { code: 7, message: 'Forbidden' } });
    server.forceShutdown();
    const port = address.split(':')[1]!;
    for (const method of ['GET', 'POST']) {
      const { status, text } = await request(`${url}/v1/mirror`, { method });
      expect(status).toBe(503);
      expect(text).not.toContain(port);
    }
  });
});
