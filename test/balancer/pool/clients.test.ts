import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoClient, EchoReply, EchoRequest } from '../../../generated/evenkeel/echo/v1/echo.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { echoReply, PoolFixture } from '../../support/pool-fixture.js';

const request = (text = ''): EchoRequest => ({
  payload: Buffer.from(text),
  delayMs: 0,
  code: 0,
  details: '',
  count: 0,
});
const reply = (seen: number) => echoReply({ seen });

/** The texts that have been sent on the newest wire. */
const texts = (f: PoolFixture) =>
  f.transport.call.sent.map((bytes) => EchoRequest.decode(bytes).payload.toString());

describe('generated clients', () => {
  it('wait in the pool with all that was sent, and stream both ways', async () => {
    const f = new PoolFixture();
    const stream = f.pool.client(EchoClient).bidi();
    const seen: unknown[] = [];
    stream.on('data', (message: EchoReply) => seen.push(message.seen));
    stream.on('metadata', (headers: Metadata) => seen.push(headers.getMap()));
    stream.on('status', ({ code }: { code: number }) => seen.push(`status ${code}`));
    for (const text of ['a', 'b', 'c']) stream.write(request(text));
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    // Node's streams move by ticks of their own.
    await turns();
    expect(texts(f)).toEqual(['a', 'b', 'c']);
    f.transport.call.headers({ h: '1' }).message(reply(1));
    await turns();
    stream.end();
    await turns();
    expect(f.transport.call.halfClosed).toBe(true);
    f.transport.call.message(reply(2)).end();
    await turns();
    expect(seen).toEqual([{ h: '1' }, 1, 2, 'status 0']);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('tell of a second response to a unary call after the first', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { path } = EchoClient.service.unary;
    const call = f.pool
      .client(EchoClient)
      .getChannel()
      .createCall(path, Number.POSITIVE_INFINITY, null, null, null);
    const seen: unknown[] = [];
    call.start(new Metadata(), {
      onReceiveMetadata() {},
      onReceiveMessage: (message: Buffer) => seen.push(EchoReply.decode(message).seen),
      onReceiveStatus: ({ code }) => seen.push(`status ${code}`),
    });
    call.startRead();
    f.transport.call.headers().message(reply(1));
    call.startRead();
    f.transport.call.message(reply(2)).end();
    await turns();
    expect(seen).toEqual([1, 2, 'status 0']);
  });

  it('are sent elsewhere when they were refused, and cancelled while they wait', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const client = f.pool.client(EchoClient);
    const answer = new Promise((resolve) => {
      client.unary(request('x'), new Metadata(), (error, message) => resolve(error ?? message));
    });
    await turns();
    f.transport.call.refuse();
    await turns();
    expect(f.transport.call).toMatchObject({ address: 'h:2', halfClosed: true });
    f.transport.call.answer(reply(7));
    expect(await answer).toMatchObject({ seen: 7 });

    for (const address of ['h:1', 'h:2']) f.transport.to(address).lost();
    let cancel = () => {};
    const cancelled = new Promise((resolve) => {
      const call = client.unary(request('y'), (error, message) => resolve(error ?? message));
      cancel = () => call.cancel();
    });
    await turns();
    expect(f.pool.snapshot().waiting).toBe(1);
    cancel();
    expect(await cancelled).toMatchObject({ code: Status.CANCELLED });
    expect(f.pool.snapshot().waiting).toBe(0);
  });

  it('have their deadline in the queue', async () => {
    const f = new PoolFixture();
    const answer = new Promise((resolve) => {
      const deadline = f.clock.epochNow() + 1_000;
      f.pool.client(EchoClient).unary(request(), new Metadata(), { deadline }, (error) => resolve(error));
    });
    await f.clock.advance(1_000);
    expect(await answer).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  });

  it('tell of a cancellation before the start once, and send nothing', async () => {
    const f = await new PoolFixture().serving('h:1');
    for (const waits of [false, true]) {
      const ends: number[] = [];
      const call = f.pool.channel.createCall('/a/b', Number.POSITIVE_INFINITY, null, null, null);
      call.cancelWithStatus(Status.CANCELLED, 'no');
      if (waits) await settle();
      call.start(new Metadata(), {
        onReceiveMetadata() {},
        onReceiveMessage() {},
        onReceiveStatus: ({ code }) => ends.push(code),
      });
      await settle();
      expect(ends).toEqual([Status.CANCELLED]);
    }
    expect(f.transport.calls).toEqual([]);
  });
});

/** Lets Node's streams and ticks run, which promises alone do not. */
function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
