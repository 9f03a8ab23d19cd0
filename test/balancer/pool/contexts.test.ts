// Everything of a call runs in its caller's async context, whatever event it is that brings it on. The fake's events come
// from the test, which stands in no caller's context, or in another's.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoClient, type EchoReply } from '../../../generated/evenkeel/echo/v1/echo.js';
import { GreeterClient, GreeterService } from '../../../generated/helloworld.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { echoReply, greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const user = new AsyncLocalStorage<string>();
const request = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 1 };

/** Whose context each call was started on the wire in: there its credentials are asked. */
function startedBy(f: PoolFixture): (string | undefined)[] {
  const users: (string | undefined)[] = [];
  f.transport.onStart = () => users.push(user.getStore());
  return users;
}

/** Each way to call, made by a user: a unary call, with a hook or a callback that notes whose context it is in. */
const WAYS: Record<string, (f: PoolFixture, note: (what: string) => void) => void> = {
  stub: (f, note) =>
    void f.hello('a', { onMetadata: () => note('headers') }).then(
      () => note('end'),
      () => {},
    ),
  client: (f, note) => {
    const call = f.pool.client(GreeterClient).sayHello({ name: 'a' }, () => note('end'));
    call.on('metadata', () => note('headers'));
  },
  channel: (f, note) => {
    const call = new GreeterClient('unused', undefined as never, {
      channelOverride: f.pool.channel,
    }).sayHello({ name: 'a' }, () => note('end'));
    call.on('metadata', () => note('headers'));
  },
  'hand pick': (f, note) =>
    void f.pool.pick().then((pick) => {
      const call = pick.as(GreeterClient).sayHello({ name: 'a' }, () => note('end'));
      call.on('metadata', () => note('headers'));
    }),
};

describe.each(Object.entries(WAYS))('a call by a %s', (_, make) => {
  function called(f: PoolFixture, by: string): string[] {
    const notes: string[] = [];
    user.run(by, () => make(f, (what) => notes.push(`${what} ${user.getStore()}`)));
    return notes;
  }

  it('hears of headers and its end in its own context', async () => {
    const f = await new PoolFixture().serving('h:1');
    const notes = called(f, 'alice');
    await settle();
    user.run('mallory', () => f.transport.call.headers().message(greeting('hi')).end());
    await settle();
    await new Promise(setImmediate);
    expect(notes).toEqual(['headers alice', 'end alice']);
  });

  it('that waited is started in it, whoever made room', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const users = startedBy(f);
    called(f, 'alice');
    called(f, 'bob');
    await settle();
    expect(users).toEqual(['alice']);
    user.run('alice', () => f.transport.call.answer(greeting('')));
    await settle();
    expect(users).toEqual(['alice', 'bob']);
    f.transport.call.answer(greeting(''));
    await settle();
  });
});

describe('a call that goes on', () => {
  it.each(['stub', 'client', 'channel'])('does so in its own context: by a %s', async (way) => {
    const f = await new PoolFixture({ retry: { maxAttempts: 3 } }).serving('h:1', 'h:2', 'h:3');
    const users = startedBy(f);
    user.run('alice', () => WAYS[way]!(f, () => {}));
    await settle();
    user.run('bob', () => f.transport.call.refuse());
    user.run('bob', () => f.transport.call.end(Status.UNAVAILABLE, 'no'));
    await f.clock.advance(1_000);
    expect(users).toEqual(['alice', 'alice', 'alice']);
    f.transport.call.answer(greeting(''));
    await settle();
  });

  it('as a hedge does so, too', async () => {
    const methods = { [GreeterService.sayHello.path]: { idempotent: true, hedge: { delayMs: 50 } } };
    const f = await new PoolFixture({ methods }).serving('h:1', 'h:2');
    const users = startedBy(f);
    const notes: unknown[] = [];
    const call = user.run('alice', () =>
      f.hello('a', {
        onMetadata: () => notes.push(user.getStore()),
        onStatus: () => notes.push(user.getStore()),
      }),
    );
    // The virtual clock keeps no contexts, as the platform's timers do.
    await user.run('alice', () => f.clock.advance(50));
    user.run('bob', () => f.transport.call.answer(greeting('hi')));
    expect(await call).toBe('hi');
    expect(users).toEqual(['alice', 'alice']);
    expect(notes).toEqual(['alice', 'alice']);
  });
});

describe('events of a stream', () => {
  it('come in the context of who made the call: by a generated client', async () => {
    const f = await new PoolFixture().serving('h:1');
    const seen: string[] = [];
    const note = (what: string) => () => void seen.push(`${what} ${user.getStore()}`);
    user.run('alice', () => {
      const stream = f.pool.client(EchoClient).bidi();
      stream
        .on('metadata', note('metadata'))
        .on('data', note('data'))
        .on('status', note('status'))
        .on('end', note('end'));
      stream.write(request, note('written'));
    });
    await settle();
    await new Promise(setImmediate);
    const wire = f.transport.call;
    user.run('mallory', () => wire.headers().message(echoReply()));
    await new Promise(setImmediate);
    user.run('mallory', () => wire.end());
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(new Set(seen)).toEqual(
      new Set(['written alice', 'metadata alice', 'data alice', 'status alice', 'end alice']),
    );
  });

  it('come so by a stub: requests, hooks, and whoever reads', async () => {
    const f = await new PoolFixture().serving('h:1');
    const seen: (string | undefined)[] = [];
    const messages = user.run('alice', () =>
      f.echo.bidi(
        (async function* () {
          seen.push(user.getStore());
          yield request;
          seen.push(user.getStore());
        })(),
        { onMetadata: () => seen.push(user.getStore()), onStatus: () => seen.push(user.getStore()) },
      ),
    );
    const read = user.run('alice', async () => {
      const replies: EchoReply[] = [];
      for await (const reply of messages) {
        seen.push(user.getStore());
        replies.push(reply);
      }
      return replies.length;
    });
    await settle();
    user.run('mallory', () => f.transport.call.headers().message(echoReply()));
    await settle();
    user.run('mallory', () => f.transport.call.end());
    expect(await outcome(read)).toBe(1);
    expect(seen).toEqual(['alice', 'alice', 'alice', 'alice', 'alice']);
  });
});

describe('a listener of a generated client that throws', () => {
  it('is uncaught, and costs neither the call nor others anything', async () => {
    const f = await new PoolFixture({ maxPendingPerEndpoint: 1 }).serving('h:1');
    const uncaught: unknown[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error));
    try {
      const call = f.pool.client(GreeterClient).sayHello({ name: 'a' }, (_: ServiceError | null) => {
        throw new Error('mine');
      });
      call.on('metadata', () => {
        throw new Error('mine, too');
      });
      await settle();
      const next = f.hello('b');
      f.transport.call.answer(greeting(''));
      await settle();
      f.transport.call.answer(greeting('hi'));
      expect(await next).toBe('hi');
      await new Promise(setImmediate);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
    }
    expect(uncaught).toEqual([new Error('mine, too'), new Error('mine')]);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});
