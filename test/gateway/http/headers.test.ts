import { request as httpRequest } from 'node:http';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { request, startGateway, type Unary } from '../support.js';

/** Keeps the metadata of the calls that it gets. */
function recorder(): { seen: Metadata[]; deadlines: (Date | number)[]; handler: Unary } {
  const seen: Metadata[] = [];
  const deadlines: (Date | number)[] = [];
  const handler: Unary = (call, callback) => {
    seen.push(call.metadata);
    deadlines.push(call.getDeadline());
    callback(null, call.request);
  };
  return { seen, deadlines, handler };
}

/** Headers by hand: fetch forbids some of them. */
function get(url: string, headers: Record<string, string | string[]>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    })
      .on('error', reject)
      .end();
  });
}

describe('request headers', () => {
  it('become metadata when they say so, or when they are of the request', async () => {
    const { seen, handler } = recorder();
    const { url, port } = await startGateway({ handlers: { Mirror: handler } });
    const status = await get(`${url}/v1/mirror`, {
      'Grpc-Metadata-Foo': 'bar',
      'Grpc-Metadata-Twice': ['a', 'b'],
      'Grpc-Metadata-Some-Bin': Buffer.from([0, 255]).toString('base64'),
      Authorization: 'Bearer secret',
      Cookie: 'a=b',
      'User-Agent': 'me',
      'X-Forwarded-For': '1.2.3.4',
      'X-Other': 'stays here',
    });
    expect(status).toBe(200);
    const [metadata] = seen as [Metadata];
    expect(metadata.get('foo')).toEqual(['bar']);
    expect(metadata.get('twice').join(', ')).toBe('a, b');
    expect(metadata.get('some-bin')).toEqual([Buffer.from([0, 255])]);
    expect(metadata.get('authorization')).toEqual(['Bearer secret']);
    expect(metadata.get('grpcgateway-cookie')).toEqual(['a=b']);
    expect(metadata.get('grpcgateway-user-agent')).toEqual(['me']);
    expect(metadata.get('x-forwarded-for')).toEqual(['1.2.3.4, 127.0.0.1']);
    expect(metadata.get('x-forwarded-host')).toEqual([`127.0.0.1:${port}`]);
    expect(metadata.get('x-other')).toEqual([]);
  });

  it('never pass when they are of gRPC or of the connection', async () => {
    const { seen, handler } = recorder();
    const { url } = await startGateway({ handlers: { Mirror: handler } });
    const status = await get(`${url}/v1/mirror`, {
      'Grpc-Metadata-Grpc-Status': '5',
      'Grpc-Metadata-Grpc-Timeout': '1n',
      'Grpc-Metadata-Connection': 'close',
      'Grpc-Metadata-Te': 'gzip',
      'Grpc-Metadata-Host': 'elsewhere',
      'Grpc-Metadata-Content-Type': 'text/plain',
      'Grpc-Metadata-Transfer-Encoding': 'chunked',
      'Grpc-Metadata-Mine': 'dropped',
      Connection: 'keep-alive, Grpc-Metadata-Mine',
    });
    expect(status).toBe(200);
    const keys = Object.keys(seen[0]!.getMap());
    for (const key of [
      'grpc-status',
      'grpc-timeout',
      'connection',
      'te',
      'host',
      'transfer-encoding',
      'mine',
    ]) {
      expect(keys).not.toContain(key);
    }
    expect(seen[0]!.get('content-type')).not.toContain('text/plain');
  });

  it('never pass as what the gateway itself says', async () => {
    const { seen, handler } = recorder();
    const { url } = await startGateway({ handlers: { Mirror: handler } });
    const status = await get(`${url}/v1/mirror`, {
      'Grpc-Metadata-Grpcgateway-Authorization': 'forged',
      'Grpc-Metadata-X-Forwarded-For': 'forged',
      'Grpc-Metadata-X-Forwarded-Host': 'forged',
      // What metadata cannot have does not take the address with it.
      'X-Forwarded-For': '\u00e9',
      'X-Forwarded-Host': '\u00e9',
    });
    expect(status).toBe(200);
    expect(seen[0]!.get('grpcgateway-authorization')).toEqual([]);
    expect(seen[0]!.get('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(seen[0]!.get('x-forwarded-host')).toEqual([]);
  });

  it.each([
    ['Grpc-Metadata-Not!legal', 'x', 'grpc-metadata-not!legal'],
    ['Grpc-Metadata-Latin', '\u00e9', 'grpc-metadata-latin'],
    ['Grpc-Metadata-Some-Bin', 'no base64 !', 'grpc-metadata-some-bin'],
    ['Grpc-Metadata-', 'x', 'grpc-metadata-'],
    ['Grpc-Timeout', '1x', 'grpc-timeout'],
    ['Grpc-Timeout', '', 'grpc-timeout'],
    ['Grpc-Timeout', '123456789S', 'grpc-timeout'],
    ['Grpc-Timeout', '-1S', 'grpc-timeout'],
    ['Grpc-Timeout', '1.5S', 'grpc-timeout'],
  ])('%s: %j is refused by name', async (name, value, named) => {
    const { url } = await startGateway();
    const { status, json } = await request(`${url}/v1/mirror`, { headers: { [name]: value } });
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: 3, message: expect.stringContaining(named) });
  });
});

describe('Grpc-Timeout', () => {
  it.each([
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['50S', 50_000],
    ['40000m', 40_000],
    ['40000000u', 40_000],
  ])('%s is the deadline of the call', async (text, ms) => {
    const { deadlines, handler } = recorder();
    const { url } = await startGateway({ handlers: { Mirror: handler } });
    const before = Date.now();
    await request(`${url}/v1/mirror`, { headers: { 'Grpc-Timeout': text } });
    const left = Number(deadlines[0]) - before;
    // A deadline travels as a time that is left, in few digits.
    expect(left).toBeGreaterThan(ms * 0.95);
    expect(left).toBeLessThan(ms * 1.05 + 5_000);
  });

  it('ends a call that takes longer, with 504', async () => {
    const { url } = await startGateway({ handlers: { Mirror: () => {} } });
    const { status, json } = await request(`${url}/v1/mirror`, { headers: { 'Grpc-Timeout': '50m' } });
    expect(status).toBe(504);
    // Not with the address of the server.
    expect(json).toEqual({ code: 4, message: 'the server did not answer in time', details: [] });
  });

  it('is the gateway’s own where a client has none', async () => {
    const { url } = await startGateway({ handlers: { Mirror: () => {} }, timeoutMs: 50 });
    expect((await request(`${url}/v1/mirror`)).status).toBe(504);
  });
});

describe('metadata of the response', () => {
  const handler: Unary = (call, callback) => {
    const headers = new Metadata();
    headers.add('foo', 'a');
    headers.add('foo', 'b');
    headers.set('some-bin', Buffer.from([0, 255]));
    headers.set('connection-id', '7');
    call.sendMetadata(headers);
    const trailers = new Metadata();
    trailers.set('foo', 'c');
    trailers.set('checksum', '1');
    callback(null, call.request, trailers);
  };

  it('comes back as Grpc-Metadata-*', async () => {
    const { url } = await startGateway({ handlers: { Mirror: handler } });
    const { headers } = await request(`${url}/v1/mirror`);
    expect(headers.get('grpc-metadata-foo')).toBe('a, b, c');
    expect(headers.get('grpc-metadata-some-bin')).toBe('AP8=');
    expect(headers.get('grpc-metadata-connection-id')).toBe('7');
    expect(headers.get('grpc-metadata-checksum')).toBe('1');
    expect([...headers.keys()].filter((name) => name.startsWith('grpc-metadata-grpc'))).toEqual([]);
    expect(headers.has('trailer')).toBe(false);
  });

  it('comes as trailers, too, when the client takes them', async () => {
    const { url } = await startGateway({ handlers: { Mirror: handler } });
    const trailers = await new Promise((resolve, reject) => {
      httpRequest(`${url}/v1/mirror`, { headers: { TE: 'trailers' } }, (response) => {
        expect(response.headers.trailer).toBe('grpc-trailer-foo, grpc-trailer-checksum');
        response.resume().on('end', () => resolve(response.trailers));
      })
        .on('error', reject)
        .end();
    });
    expect(trailers).toEqual({ 'grpc-trailer-foo': 'c', 'grpc-trailer-checksum': '1' });
  });
});

describe('a client that goes', () => {
  it('cancels its call', async () => {
    let cancelled = () => {};
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    let begun = () => {};
    const underWay = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const { url } = await startGateway({
      handlers: {
        Mirror: ((call) => {
          call.on('cancelled', cancelled);
          begun();
        }) satisfies Unary,
      },
    });
    const client = new AbortController();
    const answer = request(`${url}/v1/mirror`, { signal: client.signal }).catch((error: Error) => error.name);
    await underWay;
    client.abort();
    await gone;
    expect(await answer).toBe('AbortError');
  });
});
