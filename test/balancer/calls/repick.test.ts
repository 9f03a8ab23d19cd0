// Which failures send a call to another server: those that prove that it never reached one, and no other.
import { constants } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { EchoRequest } from '../../../generated/evenkeel/echo/v1/echo.js';
import { KINDS, request } from './drive.js';
import {
  answerAtEnd,
  failWith,
  type RawCall,
  type RawServer,
  refuse,
  refuseAfterHeaders,
} from './raw-server.js';
import { call, callByClient, names, poolOf, readyPoolOf, SOON, serve } from './repick.js';

/** A message with gRPC's prefix. */
function sizeOnWire(message: EchoRequest): number {
  return 5 + EchoRequest.encode(message).finish().length;
}

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
    ['refused after headers', refuseAfterHeaders, /^14 Stream refused by server/],
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

it('a call that is being processed when its server goes away and listens no more finishes there', async () => {
  let finish = () => {};
  const leaving: RawServer = await serve((call) => {
    leaving.stopListening();
    call.session.goaway(constants.NGHTTP2_NO_ERROR);
    finish = () => answerAtEnd(call);
  });
  const pool = await readyPoolOf(leaving);
  const end = call(pool, 'unary', 'a');
  const why = () => {
    const { state } = pool.snapshot().subchannels[0]!;
    return state.kind === 'failed' ? state.cause.message : state.kind;
  };
  // That it cannot be connected again is no reason to end the connection on which the call still runs.
  await expect.poll(why, SOON).toMatch('ECONNREFUSED');
  setTimeout(finish, 20);
  expect(await end).toBe('0 OK');
});

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
