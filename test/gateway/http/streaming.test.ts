import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  type Duplex,
  decode,
  encode,
  type Handlers,
  type Readable,
  request,
  startGateway,
  type Writable,
} from '../support.js';

const book = (title: string) => encode('Book', { title });

/** A book for each of the texts, then the status `anInt32`, if that is not 0. */
const watch: Writable = (call) => {
  const asked = decode('Everything', call.request) as { texts?: string[]; anInt32?: number; aBool?: boolean };
  if (asked.aBool) call.sendMetadata(new Metadata());
  for (const title of asked.texts ?? []) call.write(book(title));
  const { anInt32 = 0 } = asked;
  const trailers = new Metadata();
  trailers.set('after', 'all');
  if (anInt32 === 0) call.end(trailers);
  else call.emit('error', { code: anInt32, details: 'enough' });
};

const collect: Readable = (call, callback) => {
  const titles: string[] = [];
  call.on('data', (bytes: Buffer) => titles.push((decode('Book', bytes) as { title: string }).title));
  call.on('end', () => callback(null, encode('Everything', { texts: titles })));
};

const chat: Duplex = (call) => {
  call.on('data', (bytes: Buffer) => {
    const { title } = decode('Book', bytes) as { title: string };
    if (title === 'stop') call.emit('error', { code: 9, details: 'stopped' });
    else call.write(book(title.toUpperCase()));
  });
  call.on('end', () => call.end());
};

const handlers: Handlers = { Watch: watch, Collect: collect, Chat: chat };
const lines = (text: string) => text.split('\n').slice(0, -1);
const ndjson = (...titles: string[]) => titles.map((title) => `${JSON.stringify({ title })}\n`).join('');

describe('a server stream', () => {
  it('is a message a line', async () => {
    const { url } = await startGateway({ handlers });
    const { status, headers, text } = await request(`${url}/v1/watch?texts=a&texts=b%0Ac`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/x-ndjson');
    expect(lines(text)).toEqual(['{"title":"a"}', '{"title":"b\\nc"}']);
    const posted = await request(`${url}/v1/watch`, { method: 'POST', body: '{"texts":["x"]}' });
    expect(posted.text).toBe('{"title":"x"}\n');
  });

  it('is an event a message, for a client that wants events', async () => {
    const { url } = await startGateway({ handlers });
    const accept = { headers: { accept: 'text/event-stream' } };
    const { headers, text } = await request(`${url}/v1/watch?texts=a&texts=b`, accept);
    expect(headers.get('content-type')).toBe('text/event-stream');
    expect(text).toBe(':\n\ndata: {"title":"a"}\n\ndata: {"title":"b"}\n\nevent: end\ndata: {}\n\n');
    const failed = await request(`${url}/v1/watch?texts=a&an_int32=9`, accept);
    expect(failed.text).toBe(
      ':\n\ndata: {"title":"a"}\n\nevent: error\ndata: {"code":9,"message":"enough","details":[]}\n\n',
    );
  });

  it('may be empty', async () => {
    const { url } = await startGateway({ handlers });
    expect(await request(`${url}/v1/watch`)).toMatchObject({ status: 200, text: '' });
  });

  it.each([
    ['before its first message', 'an_int32=5'],
    ['together with its headers', 'an_int32=5&a_bool=1'],
  ])('that fails %s is an error like any other', async (_when, query) => {
    const { url } = await startGateway({ handlers });
    const { status, json } = await request(`${url}/v1/watch?${query}`);
    expect(status).toBe(404);
    expect(json).toEqual({ code: 5, message: 'enough', details: [] });
    expect((await request(`${url}/v1/watch?an_int32=x`)).status).toBe(400);
  });

  it('that fails after it has begun ends with the error in a line of its own', async () => {
    const { url } = await startGateway({ handlers });
    const failure = '{"error":{"code":9,"message":"enough","details":[]}}';
    expect(lines((await request(`${url}/v1/watch?texts=a&an_int32=9`)).text)).toEqual([
      '{"title":"a"}',
      failure,
    ]);
    const begun = await request(`${url}/v1/watch?a_bool=true&an_int32=9`);
    // A failure may come together with the headers before it.
    expect([failure, JSON.stringify(JSON.parse(failure).error)]).toContain(begun.text.trim());
  });

  it('begins with the headers, however long the first message takes; one that is left is cancelled', async () => {
    let cancelled = () => {};
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const { url } = await startGateway({
      handlers: {
        Watch: ((call) => {
          const metadata = new Metadata();
          metadata.set('foo', 'bar');
          call.sendMetadata(metadata);
          call.on('cancelled', cancelled);
        }) satisfies Writable,
      },
    });
    const client = new AbortController();
    const response = await fetch(`${url}/v1/watch`, { method: 'POST', body: '{}', signal: client.signal });
    expect(response.status).toBe(200);
    expect(response.headers.get('grpc-metadata-foo')).toBe('bar');
    client.abort();
    await gone;
  });

  it('gives its trailing metadata to a client that takes trailers', async () => {
    const { url } = await startGateway({ handlers });
    const trailers = await new Promise((resolve, reject) => {
      httpRequest(`${url}/v1/watch?texts=a`, { headers: { TE: 'trailers' } }, (response) => {
        response.resume().on('end', () => resolve(response.trailers));
      })
        .on('error', reject)
        .end();
    });
    expect(trailers).toEqual({ 'grpc-trailer-after': 'all' });
  });

  it('waits for whoever reads slowly', async () => {
    let written = 0;
    const { url } = await startGateway({
      handlers: {
        Watch: (async (call) => {
          const bytes = book('x'.repeat(64 * 1024));
          for (; written < 1_000 && !call.cancelled; written++) {
            if (!call.write(bytes)) await Promise.race([once(call, 'drain'), once(call, 'cancelled')]);
          }
        }) satisfies Writable,
      },
    });
    const outgoing = httpRequest(`${url}/v1/watch`).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    await once(response, 'readable');
    // Nobody reads on: what is written comes to a halt, long before the end.
    for (let before = -1; written !== before; ) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(written).toBeLessThan(500);
    outgoing.destroy();
  });
});

describe('a client stream', () => {
  const post = (body: string): RequestInit => ({ method: 'POST', body });

  it('is a message for each line', async () => {
    const { url } = await startGateway({ handlers });
    const { status, headers, json } = await request(
      `${url}/v1/collect`,
      post(`${ndjson('a', 'b')}\r\n\n{"title":"c"}`),
    );
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(json).toEqual({ texts: ['a', 'b', 'c'] });
    expect((await request(`${url}/v1/collect`, { method: 'POST' })).json).toEqual({});
  });

  it('with a line that is wrong is refused with its number, and cancelled', async () => {
    const { url } = await startGateway({ handlers });
    expect(await request(`${url}/v1/collect`, post(`${ndjson('a')}{"title":5}\n`))).toMatchObject({
      status: 400,
      json: { code: 3, message: expect.stringMatching(/^line 2: .*title/) },
    });
    expect((await request(`${url}/v1/collect`, post('{\n'))).json.message).toMatch(/^line 1: .*not JSON/);
  });

  it('has a bound on each line, and none on all together', async () => {
    const { url } = await startGateway({ handlers, maxBodyBytes: 1_000 });
    const { status, json } = await request(
      `${url}/v1/collect`,
      post(ndjson(...Array(500).fill('0123456789'))),
    );
    expect(status).toBe(200);
    expect(json.texts).toHaveLength(500);
    expect((await request(`${url}/v1/collect`, post(ndjson('x'.repeat(1_000))))).status).toBe(413);
  });
});

describe('a bidi stream', () => {
  /** An exchange in which each side writes when it likes. */
  async function converse(
    url: string,
  ): Promise<{ outgoing: ClientRequest; next: () => Promise<string>; status: number }> {
    const outgoing = httpRequest(url, { method: 'POST' });
    outgoing.write(ndjson('first'));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const iterator = response.setEncoding('utf8')[Symbol.asyncIterator]();
    const next = async () => ((await iterator.next()).value ?? '') as string;
    return { outgoing, next, status: response.statusCode! };
  }

  it('answers in order, each message as it comes', async () => {
    const { url } = await startGateway({ handlers });
    const { outgoing, next, status } = await converse(`${url}/v1/chat`);
    expect(status).toBe(200);
    expect(await next()).toBe('{"title":"FIRST"}\n');
    outgoing.write(ndjson('second'));
    expect(await next()).toBe('{"title":"SECOND"}\n');
    outgoing.end();
    expect(await next()).toBe('');
  });

  it('ends with an error that is the server’s, or of a line', async () => {
    const { url } = await startGateway({ handlers });
    const stopped = await converse(`${url}/v1/chat`);
    await stopped.next();
    stopped.outgoing.write(ndjson('stop'));
    expect(await stopped.next()).toBe('{"error":{"code":9,"message":"stopped","details":[]}}\n');
    expect(await stopped.next()).toBe('');
    stopped.outgoing.on('error', () => {}).end();

    const wrong = await converse(`${url}/v1/chat`);
    await wrong.next();
    wrong.outgoing.write('nonsense\n');
    expect(JSON.parse(await wrong.next())).toMatchObject({
      error: { code: 3, message: expect.stringMatching(/^line 2/) },
    });
    wrong.outgoing.on('error', () => {}).end();
  });
});
