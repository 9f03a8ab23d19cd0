import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { readDescriptors } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { image } from '../../support/image.js';
import { ServerProcess } from '../../support/server-process.js';
import { listen, request, startGateway, type Unary } from '../support.js';

describe('a call that fails with UNAVAILABLE', () => {
  it.each([
    ['GET /v1/mirror', 200, 2, 'a GET is safe'],
    ['HEAD /v1/mirror', 200, 2, 'so is a HEAD'],
    ['POST /v1/mirror', 503, 1, 'nothing says that it may be made twice'],
    ['GET /v1/shelves/1/books/2', 200, 2, 'the proto says NO_SIDE_EFFECTS'],
    ['LOCK /v1/shelves/1/books/2', 200, 2, 'whatever the HTTP method is'],
    ['DELETE /v1/shelves/1/books/2', 200, 2, 'the proto says IDEMPOTENT'],
    ['PATCH /v1/shelves/1/books/2', 503, 1, 'nothing says so'],
  ])('by %s answers %d after %d attempts: %s', async (line, status, attempts) => {
    let had = 0;
    const handler: Unary = (_call, callback) => {
      if (++had === 1) callback({ code: 14, details: 'not now' });
      else callback(null, Buffer.alloc(0));
    };
    const names = ['Mirror', 'GetBook', 'DeleteBook', 'UpdateBook'];
    const { url } = await startGateway({
      handlers: Object.fromEntries(names.map((name) => [name, handler])),
    });
    const [method, path] = line.split(' ') as [string, string];
    expect((await request(url + path, { method })).status).toBe(status);
    expect(had).toBe(attempts);
  });
});

describe('a backend that is killed', () => {
  it('under 200 requests/s fails no idempotent request', async () => {
    const servers = await Promise.all(
      [1, 2, 3].map(() => ServerProcess.start({ service: 'hello_service', announceTo: { kind: 'nowhere' } })),
    );
    onTestFinished(async () => void (await Promise.all(servers.map((server) => server.kill()))));
    const pool = new Pool({
      registry: staticRegistry(servers.map(({ address }) => address)),
      service: 'hello_service',
      methods: { '/helloworld.Greeter/SayHello': { idempotent: true } },
    });
    const services = [{ pool, descriptors: readDescriptors(image('project')) }];
    const { url } = await listen(pool, true, { services });
    await expect.poll(() => pool.snapshot().ready).toBe(3);

    const send = async (n: number) => {
      const { status, text } = await request(`${url}/hello`, { method: 'POST', body: `{"name":"${n}"}` });
      return status === 200 ? 'ok' : `${status} ${text}`;
    };
    const answers: Promise<string>[] = [];
    for (let n = 0, due = performance.now(); n < 400; n++, due += 5) {
      if (n === 150) servers[0]!.signal('SIGKILL');
      answers.push(send(n));
      await delay(Math.max(0, due - performance.now()));
    }
    expect((await Promise.all(answers)).filter((answer) => answer !== 'ok')).toEqual([]);
  });
});
