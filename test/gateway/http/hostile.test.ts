import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { Bytes } from '../../../src/gateway/http/bytes.js';
import { staticRegistry } from '../../../src/registry/static.js';
import {
  decode,
  encode,
  listen,
  type Readable,
  request,
  sendRaw,
  serveBytes,
  startGateway,
  testDescriptors,
  type Unary,
  type Writable,
} from '../support.js';

function open(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** The kinds of what happens to a pool from now on. */
function eventsOf(pool: Pool): readonly string[] {
  const kinds: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  void (async () => {
    for await (const { kind } of pool.events(stop.signal)) kinds.push(kind);
  })().catch(() => {});
  return kinds;
}

/** All that comes back until the connection ends. */
async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(socket, 'close');
  return text;
}

describe('what no call can carry', () => {
  it.each([
    ['Authorization: a\r\nAuthorization: b\r\n', 'authorization'],
    ['Authorization: a\r\nGrpc-Metadata-Authorization: b\r\n', 'authorization'],
    ['Grpc-Metadata-Age: 1\r\nGrpc-Metadata-Age: 1\r\n', 'age'],
    ['Grpc-Metadata-Range: 1\r\nGrpc-Metadata-range: 1\r\n', 'range'],
    ['Grpc-Metadata-Http2-Settings: x\r\n', 'http2-settings'],
    ['Grpc-Metadata-__proto__: x\r\n', '__proto__'],
  ])('%j is refused in words, and drops no connection', async (lines, words) => {
    const services = testDescriptors().services;
    const servers = await Promise.all([serveBytes(services), serveBytes(services), serveBytes(services)]);
    const pool = new Pool({ registry: staticRegistry(servers.map(({ address }) => address)), service: 'x' });
    const { port, url } = await listen(pool, true, { services: [{ pool, descriptors: testDescriptors() }] });
    await expect.poll(() => pool.snapshot().ready).toBe(3);
    const events = eventsOf(pool);

    const answer = await sendRaw(port, `GET /v1/mirror HTTP/1.1\r\nHost: x\r\n${lines}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain(words);
    const others = await Promise.all(Array.from({ length: 12 }, () => request(`${url}/v1/mirror/a`)));
    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
    expect(events.filter((kind) => kind === 'subchannel' || kind === 'ejected')).toEqual([]);
  });
});

describe('more metadata than servers take', () => {
  it.each([
    ['many', Array.from({ length: 101 }, (_, i) => `Grpc-Metadata-a${i}: x\r\n`).join('')],
    ['large', `Grpc-Metadata-a: ${'x'.repeat(70_000)}\r\n`],
    ['large, twice', `Authorization: ${'x'.repeat(40_000)}\r\n`],
  ])('%s: 431', async (_, lines) => {
    const { port } = await startGateway({ maxHeaderBytes: 1_000_000 });
    expect(await sendRaw(port, `GET /v1/mirror HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  it('is no fewer than a hundred', async () => {
    const { port } = await startGateway();
    const lines = Array.from({ length: 100 }, (_, i) => `Grpc-Metadata-a${i}: x\r\n`).join('');
    const head = `GET /v1/mirror HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines}\r\n`;
    expect(await sendRaw(port, head, false)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('an answer that the gateway cannot read', () => {
  it('counts for no server', async () => {
    const mirror: Unary = ({ request: bytes }, callback) => {
      const { text } = decode('Everything', bytes) as { text?: string };
      callback(null, text === 'garbage' ? Buffer.from([0xff]) : text === 'deep' ? tooDeep() : bytes);
    };
    const services = testDescriptors().services;
    const servers = await Promise.all([1, 2, 3, 4].map(() => serveBytes(services, { Mirror: mirror })));
    const registry = staticRegistry(servers.map(({ address }) => address));
    const pool = new Pool({ registry, service: 'x' });
    const { url } = await listen(pool, true, { services: [{ pool, descriptors: testDescriptors() }] });
    await expect.poll(() => pool.snapshot().ready).toBe(4);
    const events = eventsOf(pool);
    for (const text of ['garbage', 'deep']) {
      for (let i = 0; i < 40; i++) {
        const { status, json } = await request(`${url}/v1/mirror/${text}`);
        expect({ status, code: json.code }).toEqual({ status: 500, code: 13 });
      }
    }
    expect(events).not.toContain('ejected');
    expect(pool.snapshot().ready).toBe(4);
  });

  it('is not brought about by a request that no server reads', async () => {
    let calls = 0;
    const mirror: Unary = ({ request: bytes }, callback) => {
      calls++;
      callback(null, bytes);
    };
    const { url } = await startGateway({ handlers: { Mirror: mirror } });
    const post = (depth: number) =>
      request(`${url}/v1/mirror`, {
        method: 'POST',
        body: `{"value":${'['.repeat(depth)}${']'.repeat(depth)}}`,
      });
    expect((await post(45)).status).toBe(200);
    const { status, json } = await post(50);
    expect(status).toBe(400);
    expect(json.message).toContain('recursion');
    expect((await post(1_000_000)).status).toBe(400);
    expect(calls).toBe(1);
  });
});

/** A message whose value nests so deep that its bytes are past every limit: by hand, since nobody writes such. */
function tooDeep(): Buffer {
  let value = Buffer.alloc(0);
  for (let i = 0; i < 60; i++) {
    const list = Buffer.concat([Buffer.from([0x0a]), varint(value.length), value]);
    value = Buffer.concat([Buffer.from([0x32]), varint(list.length), list]);
  }
  return Buffer.concat([Buffer.from([0x9a, 0x02]), varint(value.length), value]);
}

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
}

describe('a client that does nothing', () => {
  it('with half a head loses its connection', async () => {
    const { port } = await startGateway({ headerTimeoutMs: 100 });
    const sockets = Array.from({ length: 20 }, () => {
      const socket = open(port);
      socket.write('GET /v1/mirror HTTP/1.1\r\nHost: x\r\nA: ');
      return socket;
    });
    const answers = await Promise.all(sockets.map(answerOf));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('with a stream of requests loses its place', async () => {
    const collect: Readable = (call, callback) => {
      call.on('data', () => {}).on('end', () => callback(null, Buffer.alloc(0)));
    };
    const { port, url } = await startGateway({
      handlers: { Collect: collect },
      idleTimeoutMs: 200,
      maxOpenRequests: 10,
    });
    const head = 'POST /v1/collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const sockets = Array.from({ length: 10 }, () => open(port));
    const answers = sockets.map((socket) => {
      socket.write(`${head}3\r\n{}\n\r\n`);
      return once(socket, 'data');
    });
    for (const [answer] of await Promise.all(answers)) expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
    await expect.poll(async () => (await request(`${url}/v1/mirror`)).status).toBe(200);
  });

  it('with an answer that it does not read loses its place, and the server the call', async () => {
    let cancelled = false;
    const watch: Writable = (call) => {
      const book = encode('Book', { title: 'x'.repeat(100_000) });
      const more = () => {
        while (!call.cancelled && call.write(book));
      };
      call.on('drain', more).on('cancelled', () => {
        cancelled = true;
      });
      more();
    };
    const large: Unary = (_, callback) =>
      callback(null, encode('Everything', { text: 'x'.repeat(3_000_000) }));
    const { port, app } = await startGateway({
      handlers: { Watch: watch, Mirror: large },
      idleTimeoutMs: 200,
    });
    for (const path of ['/v1/watch', '/v1/mirror']) {
      const socket = open(port);
      socket.pause();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(path === '/v1/mirror' ? 8 : 1));
      await once(socket, 'connect');
      await expect.poll(() => connections(app.server)).toBe(1);
      await expect.poll(() => connections(app.server)).toBe(0);
    }
    await expect.poll(() => cancelled).toBe(true);
  });
});

describe('a stream with nothing to say', () => {
  it.each([
    ['a connection that is kept alive', 1_000],
    ['one that is not', 0],
    ['one that is kept as long as clients are waited for', 200],
  ])('goes on, behind another answer on %s', async (_, keepAliveTimeout) => {
    let ended = false;
    const watch: Writable = (call) => {
      call.sendMetadata(call.metadata);
      call.on('cancelled', () => {
        ended = true;
      });
    };
    const collect: Readable = (call) => void call.on('data', () => {});
    const handlers = { Watch: watch, Collect: collect };
    const { port, app } = await startGateway({ handlers, idleTimeoutMs: 200 });
    app.server.keepAliveTimeout = keepAliveTimeout;
    const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const [first, second] = [open(port), open(port)];
    first.write(ask('/v1/mirror') + ask('/v1/watch'));
    second.write(ask('/v1/mirror'));
    await once(second, 'data');
    second.write(ask('/v1/watch'));
    const closed = Promise.race([once(first, 'close'), once(second, 'close')]);
    // So long that a third connection is given up that says as little.
    const third = open(port);
    third.write('POST /v1/collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    expect(String(await Promise.race([once(third, 'data'), closed]))).toMatch(/ 408 /);
    expect(ended).toBe(false);
  });
});

function connections(server: { getConnections(done: (error: Error | null, count: number) => void): void }) {
  return new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
}

describe('requests that wait for their turn on a connection', () => {
  it('end with it', async () => {
    let open_ = 0;
    const watch: Writable = (call) => {
      open_++;
      call.on('cancelled', () => open_--);
      call.sendMetadata(call.metadata);
    };
    const { port, url } = await startGateway({ handlers: { Watch: watch, Mirror: () => {} } });
    const sockets = Array.from({ length: 5 }, () => {
      const socket = open(port);
      const slow = 'GET /v1/mirror HTTP/1.1\r\nHost: x\r\n\r\n';
      socket.write(slow + 'GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50));
      return socket;
    });
    await expect.poll(() => open_).toBe(250);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => open_).toBe(0);
    expect((await request(`${url}/nope`)).status).toBe(404);
  });

  it('are a hundred at most', async () => {
    const { port } = await startGateway({ handlers: { Mirror: () => {} } });
    const socket = open(port);
    socket.write('GET /v1/mirror HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200));
    const other = await sendRaw(port, 'GET /nope HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(other).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe('a body in parts of one byte', () => {
  it('is read as any other', async () => {
    const { port } = await startGateway();
    const socket = open(port);
    const head =
      'POST /v1/mirror HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    socket.write(`${head}${'1\r\n \r\n'.repeat(100_000)}`);
    socket.write([...'{"text":"a"}'].map((each) => `1\r\n${each}\r\n`).join(''));
    socket.write('0\r\n\r\n');
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"text":"a"\}$/);
  });

  it('is kept as bytes, not as parts', () => {
    const bytes = new Bytes();
    const part = Buffer.alloc(1);
    // The first may be kept as it is: most bodies come in one.
    bytes.add(Buffer.from('-'));
    for (let i = 0; i < 1_000; i++) {
      part[0] = i % 256;
      bytes.add(part);
    }
    const all = bytes.take();
    expect(all.subarray(1)).toEqual(Buffer.from(Array.from({ length: 1_000 }, (_, i) => i % 256)));
    expect(bytes.take()).toEqual(Buffer.alloc(0));
    bytes.add(Buffer.from('b'));
    expect(all.subarray(0, 1).toString()).toBe('-');
    expect(bytes.take().toString()).toBe('b');
  });
});

describe('HEAD of a stream', () => {
  it('ends after its headers, and so does the call', async () => {
    let cancelled = false;
    const watch: Writable = (call) => {
      call.on('cancelled', () => {
        cancelled = true;
      });
      call.write(encode('Book', { title: 'a' }));
    };
    const { port } = await startGateway({ handlers: { Watch: watch } });
    const head = 'HEAD /v1/watch HTTP/1.1\r\nHost: x\r\n';
    const answer = await sendRaw(port, `${head}\r\n${head}Connection: close\r\n\r\n`, false);
    const [first, second, rest] = answer.split('\r\n\r\n');
    for (const each of [first, second]) {
      expect(each).toMatch(/^HTTP\/1\.1 200 /);
      expect(each).toMatch(/content-type: application\/x-ndjson/i);
    }
    expect(rest).toBe('');
    await expect.poll(() => cancelled).toBe(true);
  });
});
