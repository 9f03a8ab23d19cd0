// Which failures send a call to another server: those that prove that it never reached one, and no other.
import { constants } from 'node:http2';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, EchoRequest, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { Pool, type PoolOptions } from '../../src/balancer/pool.js';
import { staticRegistry } from '../../src/registry/static.js';
import { KINDS, type Kind, request } from './drive.js';
import { answerAtEnd, failWith, type RawCall, RawServer, refuse } from './raw-server.js';
import { RUN } from './scenario-server.js';

const SOON = { timeout: 5_000, interval: 5 };

async function serve(handle: (call: RawCall) => void): Promise<RawServer> {
  const server = await RawServer.start(handle);
  onTestFinished(() => server.close());
  return server;
}

async function poolOf(servers: readonly { readonly address: string }[], options: Partial<PoolOptions> = {}) {
  const registry = staticRegistry(servers.map(({ address }) => address));
  const pool = new Pool({
    registry,
    service: 'echo',
    drainTimeoutMs: 1_000,
    outlierDetection: false,
    ...options,
  });
  onTestFinished(() => pool.close());
  return pool;
}

/** A pool of which every connection is READY, so that the next picks go round them all. */
async function readyPoolOf(...servers: RawServer[]): Promise<Pool> {
  const pool = await poolOf(servers);
  await expect.poll(() => pool.snapshot().ready, SOON).toBe(servers.length);
  return pool;
}

function named(run: string): Metadata {
  const metadata = new Metadata();
  metadata.set(RUN, run);
  return metadata;
}

/** One call of a kind, by the stub; resolves with its code and details. */
async function call(pool: Pool, kind: Kind, run: string, requests = [request('a')]): Promise<string> {
  const stub = pool.stub(EchoService);
  const options = { metadata: named(run) };
  const drain = async (replies: AsyncIterable<unknown>) => {
    for await (const _ of replies);
  };
  const calls = {
    unary: () => stub.unary(requests[0]!, options),
    serverStream: () => drain(stub.serverStream(requests[0]!, options)),
    clientStream: () => stub.clientStream(requests, options),
    bidi: () => drain(stub.bidi(requests, options)),
  };
  try {
    await calls[kind]();
    return '0 OK';
  } catch (thrown) {
    const { code, details } = thrown as ServiceError;
    return `${code} ${details}`;
  }
}

/** The same by a generated client on the pool. */
async function callByClient(pool: Pool, kind: Kind, run: string): Promise<string> {
  const client = pool.client(EchoClient);
  return new Promise((resolve) => {
    const calls = {
      unary: () => client.unary(request('a'), named(run), () => {}),
      serverStream: () => client.serverStream(request('a'), named(run)),
      clientStream: () => client.clientStream(named(run), () => {}),
      bidi: () => client.bidi(named(run)),
    };
    const made = calls[kind]();
    if ('write' in made) {
      (made as ReturnType<typeof client.bidi>).write(request('a'));
      (made as ReturnType<typeof client.bidi>).end();
    }
    if ('read' in made) (made as ReturnType<typeof client.bidi>).on('error', () => {}).resume();
    made.on('status', ({ code, details }) => resolve(code === 0 ? '0 OK' : `${code} ${details}`));
  });
}

/** A message with gRPC's prefix. */
function sizeOnWire(message: EchoRequest): number {
  return 5 + EchoRequest.encode(message).finish().length;
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `call ${i}`);

describe.each(KINDS)('%s calls', (kind) => {
  it.each([
    ['stub', call],
    ['client', callByClient],
  ] as const)('that are refused go elsewhere, by a %s', async (_, make) => {
    const [bad, good] = [await serve(refuse), await serve(answerAtEnd)];
    const pool = await readyPoolOf(bad, good);
    const runs = names(20);
    const ends = await Promise.all(runs.map((run) => make(pool, kind, run)));
    expect(new Set(ends)).toEqual(new Set(['0 OK']));
    expect(bad.arrivals).toHaveLength(10);
    expect([...good.arrivals].sort()).toEqual([...runs].sort());
    expect(pool.snapshot()).toMatchObject({ pending: 0, waiting: 0 });
  });

  it('that the server has read before it refuses them go elsewhere, whole', async () => {
    const bad = await serve((call) => call.stream.once('data', () => refuse(call)));
    const lengths: number[] = [];
    const good = await serve((call) => {
      let length = 0;
      call.stream.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      call.stream.on('end', () => lengths.push(length));
      answerAtEnd(call);
    });
    const pool = await readyPoolOf(bad, good);
    const sent = [request(Buffer.alloc(100_000)), request(Buffer.alloc(100_000)), request('c')];
    for (const run of names(4)) expect(await call(pool, kind, run, sent)).toBe('0 OK');
    expect(bad.arrivals).not.toEqual([]);
    expect(good.arrivals).toEqual(names(4));
    const whole = (kind === 'unary' || kind === 'serverStream' ? sent.slice(0, 1) : sent).map(sizeOnWire);
    expect(new Set(lengths)).toEqual(new Set([whole.reduce((sum, size) => sum + size)]));
  });

  it('that are not yet processed when their server goes away go elsewhere', async () => {
    // The last stream that it says to have processed is the first: Node cannot say that it was none.
    const bad = await serve((call) => {
      if (call.run === 'first') answerAtEnd(call);
      else call.session.goaway(constants.NGHTTP2_NO_ERROR, 1);
    });
    const pool = await poolOf([bad]);
    expect(await call(pool, kind, 'first')).toBe('0 OK');
    const good = await serve(answerAtEnd);
    const both = await readyPoolOf(bad, good);
    expect(await call(both, kind, 'first')).toBe('0 OK');
    const ends = await Promise.all(names(4).map((run) => call(both, kind, run)));
    expect(new Set(ends)).toEqual(new Set(['0 OK']));
    expect([...good.arrivals].sort()).toEqual(names(4));
  });

  it('that are being processed when their server goes away finish there', async () => {
    const bad = await serve((call) => {
      call.session.goaway(constants.NGHTTP2_NO_ERROR);
      setImmediate(() => answerAtEnd(call));
    });
    const good = await serve(answerAtEnd);
    const pool = await readyPoolOf(bad, good);
    for (const run of names(2)) expect(await call(pool, kind, run)).toBe('0 OK');
    expect([bad.arrivals, good.arrivals]).toEqual([['call 0'], ['call 1']]);
  });

  it.each<[string, (call: RawCall) => void, RegExp]>([
    [
      'dropped with their connection',
      ({ session }) => session.destroy(),
      /^14 (Connection dropped|read ECONNRESET)/,
    ],
    [
      'reset otherwise',
      ({ stream }) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
      /^13 Received RST_STREAM/,
    ],
    ['reset as cancelled', ({ stream }) => stream.close(constants.NGHTTP2_CANCEL), /^1 Call cancelled/],
    [
      'told to go away with an error',
      ({ session }) => session.goaway(constants.NGHTTP2_PROTOCOL_ERROR),
      /^1[34] /,
    ],
    ['refused after headers', refuseAfterHeaders, /^1[34] /],
    ['failed with UNAVAILABLE', failWith(14, 'busy'), /^14 busy/],
    [
      'failed in the words of a refusal',
      failWith(14, 'Stream refused by server'),
      /^14 Stream refused by server/,
    ],
    ['failed in the words of no connection', failWith(14, 'No connection established'), /^14 No connection/],
    [
      'failed in the words of credentials',
      failWith(13, 'Failed to start HTTP/2 stream'),
      /^13 Failed to start/,
    ],
  ])('that are %s are not made again', async (_, handle, expected) => {
    const bad = await serve(handle);
    const good = await serve(answerAtEnd);
    const pool = await readyPoolOf(bad, good);
    for (const make of [call, callByClient]) {
      await expect.poll(() => pool.snapshot().ready, SOON).toBe(2);
      const [a, b] = [`${make.name} a`, `${make.name} b`];
      const ends = [await make(pool, kind, a), await make(pool, kind, b)];
      expect(ends.filter((end) => end === '0 OK')).toHaveLength(1);
      expect(
        ends.find((end) => expected.test(end)),
        ends.join(),
      ).toBeDefined();
    }
    expect([...bad.arrivals, ...good.arrivals].sort()).toEqual([
      'call a',
      'call b',
      'callByClient a',
      'callByClient b',
    ]);
  });
});

function refuseAfterHeaders(call: RawCall): void {
  call.stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' });
  call.stream.once('data', () => setImmediate(() => refuse(call)));
}

describe.each(['clientStream', 'bidi'] as const)('a %s call with more than is kept', (kind) => {
  it('is not made again once it is refused', async () => {
    const bad = await serve((call) => {
      let bytes = 0;
      call.stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 300_000) refuse(call);
      });
    });
    const lengths: number[] = [];
    const good = await serve((call) => {
      let length = 0;
      call.stream.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      call.stream.on('end', () => lengths.push(length));
      answerAtEnd(call);
    });
    const pool = await readyPoolOf(bad, good);
    const sent = Array(10).fill(request(Buffer.alloc(60_000)));
    const ends = [await call(pool, kind, 'a', sent), await call(pool, kind, 'b', sent)];
    expect(ends.sort()).toEqual(['0 OK', '14 Stream refused by server']);
    expect([...bad.arrivals, ...good.arrivals].sort()).toEqual(['a', 'b']);
  });
});

describe('a call that every server refuses', () => {
  it('is given up after some rounds', async () => {
    const servers = [await serve(refuse), await serve(refuse)];
    const pool = await readyPoolOf(...servers);
    expect(await call(pool, 'unary', 'a')).toBe('14 Stream refused by server');
    const attempts = servers.flatMap(({ arrivals }) => arrivals).length;
    expect(attempts).toBeGreaterThan(2);
    expect(attempts).toBeLessThanOrEqual(12);
  });

  it('is answered when one of them has come to its senses', async () => {
    let refusing = true;
    const handle = (call: RawCall) => (refusing ? refuse(call) : answerAtEnd(call));
    const pool = await readyPoolOf(await serve(handle), await serve(handle));
    const end = call(pool, 'unary', 'a');
    setTimeout(() => {
      refusing = false;
    }, 10);
    expect(await end).toBe('0 OK');
  });
});

describe('a pick by hand', () => {
  it.each<[string, (call: RawCall) => void]>([
    ['is refused', refuse],
    ['is dropped', ({ session }) => session.destroy()],
  ])('whose call %s is not made again', async (_, handle) => {
    const bad = await serve(handle);
    const good = await serve(answerAtEnd);
    const pool = await readyPoolOf(bad, good);
    for (let i = 0; i < 2; i++) {
      const pick = await pool.pick();
      const code = await new Promise<number>((resolve) => {
        pick.as(EchoClient).unary(request('a'), (error) => resolve(error?.code ?? 0));
      });
      expect(code).toBe(pick.endpoint.address === bad.address ? 14 : 0);
    }
    expect([bad.arrivals.length, good.arrivals.length]).toEqual([1, 1]);
    expect(pool.snapshot().pending).toBe(0);
  });
});

describe('a call whose connection is lost while its credentials are asked', () => {
  /** A call by the stub, on a server that is lost while its credentials wait for `go`. */
  async function lostCall(servers: RawServer[], lose: (server: RawServer) => Promise<unknown>, options = {}) {
    const pool = await poolOf(servers, options);
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(servers.length);
    let go = () => {};
    const asked = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow = credentials.createFromMetadataGenerator((_, callback) => {
      void asked.then(() => callback(null, new Metadata()));
    });
    const stub = pool.stub(EchoService);
    const end = stub.unary(request('a'), { metadata: named('a'), credentials: slow });
    const [picked] = pool.snapshot().subchannels.filter(({ pending }) => pending === 1);
    const lost = servers.find(({ address }) => address === picked?.endpoint.address)!;
    const others = servers.filter((server) => server !== lost);
    await lose(lost);
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(others.length);
    go();
    return { end, lost, others };
  }

  it('goes elsewhere when the server is gone', async () => {
    const servers = [await serve(answerAtEnd), await serve(answerAtEnd)];
    const { end, lost, others } = await lostCall(servers, (server) => server.close());
    await end;
    expect([lost.arrivals, others[0]!.arrivals]).toEqual([[], ['a']]);
  });

  it('goes elsewhere when the server accepts connections, and says nothing on them', async () => {
    const servers = [await serve(answerAtEnd), await serve(answerAtEnd)];
    const fallSilent = (server: RawServer) => server.fallSilent();
    const { end, lost, others } = await lostCall(servers, fallSilent, { connectTimeoutMs: 200 });
    await end;
    expect([lost.arrivals, others[0]!.arrivals]).toEqual([[], ['a']]);
  });

  it('is made once when the server is back', async () => {
    const server = await serve(answerAtEnd);
    const { end } = await lostCall([server], async (lost) => lost.drop());
    await end;
    expect(server.arrivals).toEqual(['a']);
    expect(server.connections).toBe(2);
  });
});

describe('a server that accepts connections, and says nothing on them', () => {
  it('gets no call', async () => {
    const [silent, good] = [await serve(answerAtEnd), await serve(answerAtEnd)];
    await silent.fallSilent();
    const pool = await poolOf([silent, good], { connectTimeoutMs: 200 });
    const ends = await Promise.all(names(10).map((run) => call(pool, 'unary', run)));
    expect(new Set(ends)).toEqual(new Set(['0 OK']));
    const stateOf = () =>
      pool.snapshot().subchannels.find(({ endpoint }) => endpoint.address === silent.address)!.state;
    await expect.poll(stateOf).toMatchObject({
      kind: 'failed',
      cause: { code: 'CONNECT_FAILED', message: `${silent.address} did not become READY within 200 ms` },
    });
  });
});
