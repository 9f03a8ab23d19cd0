import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { readDescriptors } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { image } from '../../support/image.js';
import { startOdd } from '../odd.js';
import { type FixtureOptions, listen, request, startGateway } from '../support.js';

async function documentOf(options: FixtureOptions = {}) {
  const { url } = await startGateway({ docs: true, ready: false, ...options });
  const { status, headers, json } = await request(`${url}/openapi.json`);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/json');
  return json;
}

describe('/openapi.json', () => {
  it.each<[string, FixtureOptions]>([
    ['as it is', {}],
    ['with unannotated methods', { all: true }],
    ['with names and numbers', { json: { useProtoFieldName: true, enumAsInteger: true } }],
  ])('is valid OpenAPI 3.1, %s', async (_, options) => {
    const document = await documentOf(options);
    const { valid, errors } = await new Validator().validate(document);
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(document.openapi).toMatch(/^3\.1\./);
    // Everything that is referred to is there.
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document.components.schemas).toHaveProperty([name!]);
    }
    const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is valid for the protos of the project', async () => {
    const pool = new Pool({ registry: staticRegistry(['127.0.0.1:1']), service: 'hello_service' });
    const services = [{ pool, descriptors: readDescriptors(image('project')) }];
    const { url } = await listen(pool, false, { services, docs: { title: 'Hello', version: '2.1' } });
    const { json } = await request(`${url}/openapi.json`);
    expect((await new Validator().validate(json)).errors).toBeUndefined();
    expect(json.info).toEqual({ title: 'Hello', version: '2.1' });
    expect(json.paths['/hello'].post).toMatchObject({
      operationId: 'helloworld.Greeter.SayHello',
      summary: 'Sends a greeting.',
      requestBody: {
        content: { 'application/json': { schema: { $ref: '#/components/schemas/helloworld.HelloRequest' } } },
      },
    });
  });

  it('has every binding, with its path, its parameters and its bodies', async () => {
    const { paths } = await documentOf();
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method} ${path}`),
    );
    expect(operations).toEqual([
      'post /v1/mirror',
      'get /v1/mirror',
      'get /v1/mirror/{text}',
      'get /v1/shelves/{name.1}/books/{name.2}',
      'patch /v1/shelves/{name.1}/books/{name.2}',
      'delete /v1/shelves/{name.1}/books/{name.2}',
      'get /v1/books/{name}:find',
      'put /v1/titles',
      'get /v1/watch',
      'post /v1/watch',
      'post /v1/collect',
      'post /v1/chat',
    ]);
    const update = paths['/v1/shelves/{name.1}/books/{name.2}'].patch;
    expect(update.parameters.map((each: { in: string; name: string }) => `${each.in} ${each.name}`)).toEqual([
      'path name.1',
      'path name.2',
      'query updateMask',
      'query dryRun',
    ]);
    expect(update.requestBody.content['application/json'].schema).toEqual({
      $ref: '#/components/schemas/test.gateway.v1.Book',
    });
    const parameters = paths['/v1/mirror/{text}'].get.parameters.map((each: { name: string }) => each.name);
    expect(parameters).toEqual(
      expect.arrayContaining(['text', 'anInt64', 'book.author.givenName', 'timestamp']),
    );
    expect(parameters).not.toEqual(expect.arrayContaining(['struct']));
    expect(Object.keys(paths['/v1/watch'].get.responses[200].content)).toEqual([
      'application/x-ndjson',
      'text/event-stream',
    ]);
  });

  it('says what it does not show', async () => {
    const { info } = await documentOf();
    expect(info.description).toBe(
      'Not shown here: test.gateway.v1.Shelf.GetBook (`LOCK /v1/{name=shelves/*/books/*}`).',
    );
  });

  it('has schemas of the canonical JSON, and the comments of the protos', async () => {
    const { schemas } = (await documentOf()).components;
    const { properties } = schemas['test.gateway.v1.Everything'];
    expect(properties).toMatchObject({
      anInt32: { type: 'integer', format: 'int32' },
      anInt64: { type: 'string', format: 'int64' },
      someBytes: { type: 'string', contentEncoding: 'base64' },
      colour: { $ref: '#/components/schemas/test.gateway.v1.Colour' },
      texts: { type: 'array', items: { type: 'string' } },
      books: { type: 'object', additionalProperties: { $ref: '#/components/schemas/test.gateway.v1.Book' } },
      otherName: { type: 'string' },
      timestamp: { type: 'string', format: 'date-time' },
      int64Value: { type: ['string', 'null'], format: 'int64' },
      value: {},
      null: { type: 'null' },
    });
    expect(schemas['test.gateway.v1.Colour']).toMatchObject({
      type: 'string',
      enum: ['COLOUR_UNSPECIFIED', 'COLOUR_RED', 'COLOUR_BLUE'],
    });
    expect(schemas['test.gateway.v1.Book']).toMatchObject({
      description: 'A book.',
      properties: {
        name: { description: 'Where it stands: shelves/*/books/*.' },
        title: { deprecated: true },
      },
    });
    expect(schemas['test.gateway.v1.Author'].properties.teacher).toEqual({
      $ref: '#/components/schemas/test.gateway.v1.Author',
    });
  });

  it('has bodies as they are, first sentences, and a title that can be read', async () => {
    const { url } = await startOdd({}, { docs: true });
    const { info, paths } = (await request(`${url}/openapi.json`)).json;
    expect(info.title).toBe('4 services');
    const raw = { '*/*': { schema: { type: 'string', format: 'binary' } } };
    const download = paths['/v1/files/{name}'];
    expect(download.get).toMatchObject({ summary: 'Gives a file.', responses: { 200: { content: raw } } });
    expect(download.post.requestBody.content).toEqual(raw);
    expect(paths['/v1/store'].post).toMatchObject({
      requestBody: { content: raw },
      responses: { 200: { content: raw } },
    });
    expect(paths['/v1/tail/{name}'].get.responses[200].content).toEqual(raw);
    expect(paths).toHaveProperty('/v1/{name}/end');
    const { paths: shelves } = await documentOf();
    const [part] = shelves['/v1/shelves/{name.1}/books/{name.2}'].get?.parameters ?? [];
    expect(part.description).toContain('`/v1/{name=shelves/*/books/*}`');
  });

  it('has a page that stands in no frame and runs nothing of others', async () => {
    const { url } = await startGateway({ docs: true });
    for (const path of ['/docs', '/docs/', '/docs/static/swagger-ui-bundle.js', '/docs/json']) {
      const { status, headers } = await request(url + path);
      expect(status).toBe(200);
      expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
    }
    expect((await request(`${url}/openapi.json`)).headers.get('x-content-type-options')).toBe('nosniff');
    expect((await request(`${url}/v1/mirror`)).headers.get('content-security-policy')).toBeNull();
  });

  it('is the same bytes wherever it is asked for, and no YAML', async () => {
    const { url } = await startGateway({ docs: true });
    const { text } = await request(`${url}/openapi.json`);
    expect(await request(`${url}/docs/json`)).toMatchObject({ status: 200, text });
    expect((await request(`${url}/docs/yaml`)).status).toBe(404);
  });

  it('has a page at /docs, whose missing files are answered as all that is missing', async () => {
    const { url } = await startGateway({ docs: true });
    expect(await request(`${url}/docs/static/nope.js`)).toMatchObject({
      status: 404,
      json: { code: 5, message: 'Not Found', details: [] },
    });
  });

  it('is not there when it is not wanted', async () => {
    const { url } = await startGateway({ docs: false });
    for (const path of ['/openapi.json', '/docs', '/docs/'])
      expect((await request(url + path)).status).toBe(404);
  });
});
