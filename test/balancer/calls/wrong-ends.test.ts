// Ends that bare grpc-js gets wrong, as callers see them by every way to call.
import { constants } from 'node:http2';
import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { request } from './drive.js';
import { answer, type RawCall } from './raw-server.js';
import { poolOf, readyPoolOf, SOON, serve } from './repick.js';

type End = { readonly code: number; readonly details: string };

function byClient(client: EchoClient): Promise<End> {
  return new Promise((resolve) => {
    client.unary(request('a'), (error: ServiceError | null) => resolve(error ?? { code: 0, details: '' }));
  });
}

const WAYS: Record<string, (pool: Pool) => Promise<End>> = {
  'pool.stub': (pool) =>
    pool
      .stub(EchoService)
      .unary(request('a'))
      .then(
        () => ({ code: 0, details: '' }),
        (error) => error,
      ),
  'pool.client': (pool) => byClient(pool.client(EchoClient)),
  'pick.as': async (pool) => byClient((await pool.pick()).as(EchoClient)),
};

/** A message that is marked as compressed, in a response that says of no compression. */
function answerCompressed({ stream }: RawCall): void {
  stream.resume();
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.from([1, 0, 0, 0, 1, 42]));
}

describe.each(Object.entries(WAYS))('by %s', (_, call) => {
  it('a response that is compressed for no reason ends the call with INTERNAL', async () => {
    const pool = await readyPoolOf(await serve(answerCompressed));
    const { code, details } = await call(pool);
    expect(code).toBe(13);
    expect(details).toEqual(expect.any(String));
    expect(pool.snapshot().pending).toBe(0);
  });
});

describe('a server that resets every call with CANCEL', () => {
  it('is ejected: it is not the callers who cancel', async () => {
    const bad = await serve(({ stream }) => stream.close(constants.NGHTTP2_CANCEL));
    const good = await serve((raw) => answer(raw));
    const pool = await poolOf([bad, good], { outlierDetection: {} });
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(2);
    for (let n = 0; n < 20; n++) await WAYS['pool.stub']!(pool);
    const ejected = pool.snapshot().subchannels.filter((subchannel) => subchannel.ejected);
    expect(ejected.map(({ endpoint }) => endpoint.address)).toEqual([bad.address]);
  });

  it('is not, when the callers do', async () => {
    const silent = await serve(() => {});
    const good = await serve((raw) => answer(raw));
    const pool = await poolOf([silent, good], { outlierDetection: {} });
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(2);
    const stub = pool.stub(EchoService);
    for (let n = 0; n < 20; n++) {
      const stop = new AbortController();
      const made = stub.unary(request('a'), { signal: stop.signal }).catch(() => {});
      await Promise.race([
        made,
        expect.poll(() => silent.arrivals.length, SOON).toBe(Math.ceil((n + 1) / 2)),
      ]);
      stop.abort();
      await made;
    }
    expect(pool.snapshot().subchannels.some((subchannel) => subchannel.ejected)).toBe(false);
  });
});
