// Calls made while a server call is being handled: its deadline and its cancellation are theirs.
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type StatusObject } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type EchoReply, type EchoRequest, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { CallOptions } from '../../../src/balancer/calls/stub.js';
import { request } from './drive.js';
import type { RawCall } from './raw-server.js';
import { poolOf, SOON, serve } from './repick.js';

/** A server that answers with how the call that it makes meanwhile ends, on a server that hangs. */
async function chain(options: Omit<CallOptions, 'parent'> = {}) {
  const hanging: RawCall[] = [];
  const backend = await serve((call) => void hanging.push(call));
  const inner = await poolOf([backend]);
  const ends: StatusObject[] = [];
  const server = new Server();
  const handle = async (parent: ServerUnaryCall<EchoRequest, EchoReply>) => {
    const onStatus = (status: StatusObject) => ends.push(status);
    await inner
      .stub(EchoService)
      .unary(parent.request, { ...options, parent, onStatus })
      .catch(() => {});
  };
  server.register(
    EchoService.unary.path,
    (call: ServerUnaryCall<EchoRequest, EchoReply>) => void handle(call),
    EchoService.unary.responseSerialize,
    EchoService.unary.requestDeserialize,
    'unary',
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  const outer = await poolOf([{ address: `127.0.0.1:${port}` }]);
  return { echo: outer.stub(EchoService), inner, hanging, ends };
}

/** What a call tells its server of its deadline, in milliseconds. */
function timeoutMs({ headers }: RawCall): number {
  const [, digits, unit] = /^(\d+)(.)$/.exec(String(headers['grpc-timeout'])) ?? [];
  const units: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };
  return Number(digits) * (units[unit ?? ''] ?? Number.NaN);
}

describe('a call with a parent', () => {
  it('has no more time than its parent has left', async () => {
    const { echo, inner, hanging, ends } = await chain({ timeoutMs: 60_000 });
    await expect(echo.unary(request('a'), { timeoutMs: 300 })).rejects.toMatchObject({ code: 4 });
    expect(timeoutMs(hanging[0]!)).toBeLessThanOrEqual(300);
    await expect.poll(() => ends.length, SOON).toBe(1);
    // Whichever comes first: the deadline of both, or the news that the parent has met it.
    expect([1, 4]).toContain(ends[0]!.code);
    expect(inner.snapshot().pending).toBe(0);
  });

  it('keeps its own deadline when that is earlier', async () => {
    const { echo, hanging, ends } = await chain({ timeoutMs: 50 });
    const end = echo.unary(request('a'), { timeoutMs: 500 }).catch((error) => error);
    await expect.poll(() => ends.length, SOON).toBe(1);
    expect(ends[0]!.code).toBe(4);
    expect(timeoutMs(hanging[0]!)).toBeLessThanOrEqual(50);
    await end;
  });

  it('is cancelled with it, where it has got to', async () => {
    const { echo, inner, hanging, ends } = await chain();
    const stop = new AbortController();
    const end = echo.unary(request('a'), { signal: stop.signal, metadata: new Metadata() });
    end.catch(() => {});
    await expect.poll(() => hanging.length, SOON).toBe(1);
    let closed = false;
    hanging[0]!.stream.on('close', () => {
      closed = true;
    });
    stop.abort();
    await expect(end).rejects.toMatchObject({ code: 1 });
    await expect.poll(() => ends, SOON).toMatchObject([{ code: 1, details: 'Cancelled by parent call' }]);
    await expect.poll(() => closed, SOON).toBe(true);
    expect(inner.snapshot().pending).toBe(0);
  });
});
