// What a request itself makes impossible: refused before a pick, on every surface, repeated nowhere, blamed on nobody.
import { InterceptingCall, type Interceptor, Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoClient } from '../../../generated/evenkeel/echo/v1/echo.js';
import { GreeterClient } from '../../../generated/helloworld.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { outcome, PoolFixture } from '../../support/pool-fixture.js';

function metadata(...entries: [string, string][]): Metadata {
  const made = new Metadata();
  for (const [name, value] of entries) made.add(name, value);
  return made;
}

const BAD: [string, Metadata][] = [
  ['a header of the connection', metadata(['http2-settings', 'x'])],
  ['two authorizations', metadata(['authorization', 'a'], ['authorization', 'b'])],
  ['a pseudo header', metadata([':path', '/x'])],
  ['more than servers take', metadata(['x-big', 'a'.repeat(70_000)])],
];

const request = { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 1 };

type Result = { readonly code: number; readonly details: string } | undefined;

/** A unary call by a generated client; how it fails. */
function failure(client: GreeterClient, sent: Metadata, interceptors: Interceptor[] = []): Promise<Result> {
  return new Promise((resolve) => {
    client.sayHello({ name: 'a' }, sent, { interceptors }, (error: ServiceError | null) =>
      resolve(error ?? undefined),
    );
  });
}

/** One that says of the call what the caller did not. */
const adding =
  (more: Metadata): Interceptor =>
  (options, next) =>
    new InterceptingCall(next(options), {
      start(sent, listener, start) {
        sent.merge(more);
        start(sent, listener);
      },
    });

const SURFACES: Record<string, (f: PoolFixture, bad: Metadata) => Promise<unknown>> = {
  'pool.stub': (f, bad) => outcome(f.hello('a', { metadata: bad })),
  'a stream of pool.stub': (f, bad) => outcome(f.echo.bidi([request], { metadata: bad }).next()),
  'pool.client': (f, bad) => failure(f.pool.client(GreeterClient), bad),
  'a stream of pool.client': (f, bad) =>
    new Promise((resolve) => f.pool.client(EchoClient).bidi(bad).on('error', resolve)),
  'pool.channel': (f, bad) =>
    failure(new GreeterClient('unused', undefined as never, { channelOverride: f.pool.channel }), bad),
  'pick.as': async (f, bad) => failure((await f.pool.pick()).as(GreeterClient), bad),
  'an interceptor': (f, bad) => failure(f.pool.client(GreeterClient), new Metadata(), [adding(bad)]),
  'an interceptor of a pick': async (f, bad) =>
    failure((await f.pool.pick()).as(GreeterClient), new Metadata(), [adding(bad)]),
};

describe.each(BAD)('metadata with %s', (_, bad) => {
  it.each(Object.entries(SURFACES))('is refused before anything is sent: by %s', async (_surface, call) => {
    const f = await new PoolFixture({ retry: { codes: ['INTERNAL'] } }).serving('h:1', 'h:2');
    expect(await call(f, bad)).toMatchObject({
      code: Status.INTERNAL,
      details: expect.stringMatching(/^the call cannot be sent: /),
    });
    await settle();
    expect(f.transport.calls).toEqual([]);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
  });
});

describe('an authority that is no header', () => {
  it('is refused, too', async () => {
    const f = await new PoolFixture().serving('h:1');
    expect(await outcome(f.hello('a', { authority: 'a\0b' }))).toMatchObject({
      code: Status.INTERNAL,
      cause: { code: 'INVALID_METADATA' },
    });
    expect(f.transport.calls).toEqual([]);
  });
});

describe('what is no Metadata, or no CallCredentials', () => {
  it.each([{ metadata: { a: 'b' } }, { metadata: 'a' }, { credentials: {} }, { credentials: 'token' }])(
    'is said to be none: %j',
    async (options) => {
      const f = await new PoolFixture().serving('h:1');
      expect(await outcome(f.hello('a', options as never))).toMatchObject({ code: 'INVALID_OPTION' });
      expect(f.transport.calls).toEqual([]);
    },
  );
});
