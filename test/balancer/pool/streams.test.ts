import { describe, expect, it } from 'vitest';
import { type EchoReply, EchoRequest } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { Outcome } from '../../../src/balancer/pickers/picker.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { echoReply, outcome, PoolFixture } from '../../support/pool-fixture.js';

const request = (text = '', size = 0): EchoRequest => ({
  payload: size > 0 ? Buffer.alloc(size) : Buffer.from(text),
  delayMs: 0,
  code: 0,
  details: '',
  count: 0,
});
const reply = (seen: number) => echoReply({ seen });
const KIB = 1024;

/** Requests that the test gives, one by one. */
function given() {
  const queue: EchoRequest[] = [];
  const state = { taken: 0, finished: false };
  let wake = () => {};
  let over: Error | true | undefined;
  async function* requests(): AsyncGenerator<EchoRequest> {
    try {
      for (;;) {
        while (queue.length === 0 && over === undefined)
          await new Promise<void>((resolve) => (wake = resolve));
        const next = queue.shift();
        if (next === undefined) {
          if (over instanceof Error) throw over;
          return;
        }
        state.taken++;
        yield next;
      }
    } finally {
      state.finished = true;
    }
  }
  const give = (...more: EchoRequest[]) => {
    queue.push(...more);
    wake();
    return settle();
  };
  const end = (how: Error | true = true) => {
    over = how;
    wake();
    return settle();
  };
  return { requests: requests(), give, end, state };
}

/** Reads a stream to its end, and what came of it. */
function read(stream: AsyncIterable<EchoReply>): { seen: number[]; ended: Promise<unknown> } {
  const seen: number[] = [];
  const ended = (async () => {
    for await (const message of stream) seen.push(message.seen);
  })();
  ended.catch(() => {});
  return { seen, ended };
}

/** The texts that have been sent on the newest wire. */
const texts = (f: PoolFixture) =>
  f.transport.call.sent.map((bytes) => EchoRequest.decode(bytes).payload.toString());

describe('server streams', () => {
  it('give messages as they come, and end', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { seen, ended } = read(f.echo.serverStream(request('x')));
    await settle();
    expect(texts(f)).toEqual(['x']);
    expect(f.transport.call.halfClosed).toBe(true);
    f.transport.call.headers().message(reply(1));
    await settle();
    expect(seen).toEqual([1]);
    f.transport.call.message(reply(2)).message(reply(3)).end();
    await ended;
    expect(seen).toEqual([1, 2, 3]);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('fail after what had come', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { seen, ended } = read(f.echo.serverStream(request()));
    await settle();
    f.transport.call.headers().message(reply(1));
    await settle();
    f.transport.call.end(Status.ABORTED, 'no');
    expect(await outcome(ended)).toMatchObject({ code: Status.ABORTED, address: 'h:1' });
    expect(seen).toEqual([1]);
  });

  it('are cancelled when they are left early', async () => {
    const f = await new PoolFixture().serving('h:1');
    const reading = (async () => {
      for await (const { seen } of f.echo.serverStream(request())) if (seen === 2) break;
    })();
    await settle();
    f.transport.call.headers().message(reply(1)).message(reply(2)).message(reply(3));
    await reading;
    expect(f.transport.call.cancelled).toMatchObject({ code: Status.CANCELLED });
    await settle();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('start at their first read, and not at all when there is none', async () => {
    const f = await new PoolFixture().serving('h:1');
    const stream = f.echo.serverStream(request());
    await settle();
    expect(f.transport.calls).toEqual([]);
    await stream.return();
    expect(f.transport.calls).toEqual([]);
  });

  it('go to another when they were refused, and are read there', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const { seen, ended } = read(f.echo.serverStream(request('x')));
    await settle();
    f.transport.call.refuse();
    expect(texts(f)).toEqual(['x']);
    expect(f.transport.call).toMatchObject({ address: 'h:2', halfClosed: true });
    f.transport.call.headers().message(reply(1)).end();
    await ended;
    expect(seen).toEqual([1]);
  });

  it('have the latency of their first message', async () => {
    const outcomes: Outcome[] = [];
    const f = await new PoolFixture({
      picker: () => ({
        name: 'listening',
        pick: (ready) => ready[0],
        finished: (_, __, outcome) => void outcomes.push(outcome),
      }),
    }).serving('h:1');
    const { ended } = read(f.echo.serverStream(request()));
    await f.clock.advance(20);
    f.transport.call.headers().message(reply(1));
    await f.clock.advance(500);
    f.transport.call.end();
    await ended;
    expect(outcomes).toEqual([expect.objectContaining({ code: Status.OK, latencyMs: 20 })]);
  });

  it('that cannot be read fail, and are cancelled on the wire', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { ended } = read(f.echo.serverStream(request()));
    await settle();
    f.transport.call.headers().message(Buffer.from([0x0a, 0xff]));
    expect(await outcome(ended)).toMatchObject({ code: Status.INTERNAL });
    expect(f.transport.call.cancelled).toMatchObject({ code: Status.INTERNAL });
  });

  it('that cannot be read fail, though the wire ended well before it could be cancelled', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { ended } = read(f.echo.serverStream(request()));
    await settle();
    f.transport.call.cancel = () => {};
    f.transport.call.answer(Buffer.from([0x0a, 0xff]));
    expect(await outcome(ended)).toMatchObject({ code: Status.INTERNAL });
  });
});

describe('client streams and both ways', () => {
  it('send one by one, as fast as the wire takes it', async () => {
    const f = await new PoolFixture().serving('h:1');
    f.transport.opensStreams = false;
    const { requests, give, end, state } = given();
    const { ended } = read(f.echo.bidi(requests));
    await give(request('a'), request('b'), request('c'));
    expect(state.taken).toBe(1);
    expect(texts(f)).toEqual(['a']);
    f.transport.call.open();
    await settle();
    expect(texts(f)).toEqual(['a', 'b', 'c']);
    expect(f.transport.call.halfClosed).toBe(false);
    await end();
    expect(f.transport.call.halfClosed).toBe(true);
    f.transport.call.headers().end();
    await ended;
  });

  it('wait in the pool with what they have to send, and send it in order', async () => {
    const f = new PoolFixture();
    const result = f.echo.clientStream([request('a'), request('b'), request('c')]);
    await f.snapshot('h:1');
    f.transport.to('h:1').ready();
    await settle();
    expect(texts(f)).toEqual(['a', 'b', 'c']);
    expect(f.transport.call.halfClosed).toBe(true);
    f.transport.call.headers().message(reply(3)).end();
    expect(await result).toMatchObject({ seen: 3 });
  });

  it('fail with a second response, though the end comes in the same turn', async () => {
    const f = await new PoolFixture().serving('h:1');
    const result = f.echo.clientStream([request('a')]);
    await settle();
    f.transport.call.headers().message(reply(1));
    await settle();
    f.transport.call.message(reply(1)).end();
    expect(await outcome(result)).toMatchObject({
      code: Status.UNIMPLEMENTED,
      details: 'Too many responses received',
    });
  });

  it('are sent from the beginning elsewhere, and then go on', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2', 'h:3');
    const { requests, give, end } = given();
    const result = f.echo.clientStream(requests);
    await give(request('a'), request('b'));
    f.transport.call.refuse();
    await settle();
    expect(texts(f)).toEqual(['a', 'b']);
    await give(request('c'));
    f.transport.call.refuse();
    await give(request('d'));
    expect(texts(f)).toEqual(['a', 'b', 'c', 'd']);
    await end();
    expect(f.transport.calls.map(({ address, halfClosed }) => [address, halfClosed])).toEqual([
      ['h:1', false],
      ['h:2', false],
      ['h:3', true],
    ]);
    f.transport.call.headers().message(reply(4)).end();
    expect(await result).toMatchObject({ seen: 4 });
  });

  it('wait again between two wires, and take more meanwhile', async () => {
    const f = await new PoolFixture().serving('h:1');
    f.transport.opensStreams = false;
    const { requests, give, end } = given();
    const { ended } = read(f.echo.bidi(requests));
    await give(request('a'));
    f.transport.to('h:1').lost();
    f.transport.call.loseUnsent();
    await give(request('b'));
    f.transport.opensStreams = true;
    f.transport.to('h:1').ready();
    await settle();
    expect(texts(f)).toEqual(['a', 'b']);
    await end();
    f.transport.call.headers().end();
    await ended;
  });

  it('are not sent again when more was sent than is kept', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const { requests, give } = given();
    const result = f.echo.clientStream(requests);
    await give(request('', 100 * KIB), request('', 150 * KIB));
    await give(request('', 10 * KIB));
    f.transport.call.refuse();
    expect(await outcome(result)).toMatchObject({ code: Status.UNAVAILABLE });
    expect(f.transport.calls.length).toBe(1);
  });

  it('are sent again while it is just as much, or one message of any size', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    for (const sizes of [[128, 127], [4_096]]) {
      const before = f.transport.calls.length;
      const { requests, give, end } = given();
      const result = f.echo.clientStream(requests);
      await give(...sizes.map((size) => request('', size * KIB)));
      f.transport.call.refuse();
      await settle();
      expect(f.transport.calls.length).toBe(before + 2);
      expect(f.transport.call.sent.length).toBe(sizes.length);
      await end();
      f.transport.call.headers().message(reply(1)).end();
      await result;
    }
  });

  it('stop sending when the call has ended, and let go of the requests', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { requests, give, state } = given();
    const { ended } = read(f.echo.bidi(requests));
    await give(request('a'));
    f.transport.call.headers().end(Status.ABORTED, 'enough');
    expect(await outcome(ended)).toMatchObject({ code: Status.ABORTED });
    await give(request('b'));
    expect(texts(f)).toEqual(['a']);
    expect(state.finished).toBe(true);
  });

  it('fail with what the requests fail with', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { requests, give, end } = given();
    const result = f.echo.clientStream(requests);
    await give(request('a'));
    await end(new Error('no more paper'));
    expect(await outcome(result)).toMatchObject({
      code: Status.CANCELLED,
      details: 'The requests ended with an error: no more paper',
      cause: { message: 'no more paper' },
    });
    expect(f.transport.call.cancelled).toBeDefined();
  });

  it('let go of the requests when one cannot be written', async () => {
    const f = await new PoolFixture().serving('h:1');
    const { requests, give, state } = given();
    const result = f.echo.clientStream(requests);
    await give(request('a'), null as never);
    expect(await outcome(result)).toMatchObject({
      code: Status.INTERNAL,
      details: expect.stringMatching(/^Request message serialization failure/),
    });
    await give(request('b'));
    expect(state.finished).toBe(true);
  });

  it('are cancelled while they wait, and let go of the requests', async () => {
    const f = new PoolFixture();
    const stop = new AbortController();
    const { requests, give, state } = given();
    const { ended } = read(f.echo.bidi(requests, { signal: stop.signal }));
    await give(request('a'));
    stop.abort();
    expect(await outcome(ended)).toMatchObject({ code: Status.CANCELLED });
    await give();
    await settle();
    expect(f.pool.snapshot().waiting).toBe(0);
    await give(request('b'));
    expect(state.finished).toBe(true);
  });

  it('with two answers where there must be one fail', async () => {
    const f = await new PoolFixture().serving('h:1');
    const result = f.echo.clientStream([request()]);
    await settle();
    f.transport.call.headers().message(reply(1)).message(reply(2));
    expect(await outcome(result)).toMatchObject({ code: Status.UNIMPLEMENTED });
    expect(f.transport.call.cancelled).toBeDefined();
  });
});
