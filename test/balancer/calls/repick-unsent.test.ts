// Calls that no server takes, that lose their connection before they are sent, or that were picked by hand.
import { credentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { request } from './drive.js';
import { answerAtEnd, type RawCall, type RawServer, refuse } from './raw-server.js';
import { call, named, names, poolOf, readyPoolOf, SOON, serve } from './repick.js';

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
