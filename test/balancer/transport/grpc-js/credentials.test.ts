// Credentials are the user's: whatever they do, their call ends, and nobody else's does.
import { AsyncLocalStorage } from 'node:async_hooks';
import { CallCredentials, ChannelCredentials, credentials as grpcCredentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { grpcTransport } from '../../../../src/balancer/transport/grpc-js/transport.js';
import type { CallStart, Connection, WireStatus } from '../../../../src/balancer/transport/transport.js';
import { systemClock } from '../../../../src/base/clock.js';
import { endpoint } from '../../../support/endpoints.js';
import { answer, RawServer } from '../../calls/raw-server.js';

/** Credentials that do as they like. */
class Any extends CallCredentials {
  constructor(private readonly generate: () => unknown) {
    super();
  }

  override generateMetadata(): Promise<Metadata> {
    return this.generate() as Promise<Metadata>;
  }

  override compose(other: CallCredentials): CallCredentials {
    return other._equals(CallCredentials.createEmpty())
      ? this
      : new Any(async () => {
          const together = await (this.generate() as Promise<Metadata>);
          together.merge(await other.generateMetadata({} as never));
          return together;
        });
  }

  override _equals(other: CallCredentials): boolean {
    return this === other;
  }
}

/** Those of a connection that is not encrypted, and adds to every call all the same. */
class Adding extends ChannelCredentials {
  readonly #inner = grpcCredentials.createInsecure();

  constructor(private readonly ofCalls: CallCredentials) {
    super();
  }

  override _isSecure(): boolean {
    return false;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...args: Parameters<ChannelCredentials['_createSecureConnector']>) {
    const connector = this.#inner._createSecureConnector(...args);
    return {
      connect: connector.connect.bind(connector),
      waitForReady: connector.waitForReady.bind(connector),
      destroy: connector.destroy.bind(connector),
      getCallCredentials: () => this.ofCalls,
    };
  }
}

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', token);
  return metadata;
}

async function connect(credentials?: ChannelCredentials, ready = true) {
  const tokens: unknown[] = [];
  const server = await RawServer.start((call) => {
    tokens.push(call.headers.authorization);
    answer(call);
  });
  onTestFinished(() => server.close());
  let told = () => {};
  const isReady = new Promise<void>((resolve) => {
    told = resolve;
  });
  const transport = grpcTransport({ clock: systemClock, credentials });
  const connection = transport(endpoint('a', server.address), ({ kind }) => {
    if (kind === 'ready') told();
  });
  onTestFinished(() => connection.retire());
  connection.connect();
  if (ready) await isReady;
  return { server, tokens, connection };
}

function call(connection: Connection, start: Partial<CallStart> = {}): Promise<WireStatus> {
  return new Promise((resolve) => {
    const wire = connection.start(
      { path: '/a/b', metadata: new Metadata(), ...start },
      Number.POSITIVE_INFINITY,
      {
        onHeaders() {},
        onMessage() {},
        onStatus: resolve,
      },
    );
    wire.startRead();
    wire.sendMessage(Buffer.alloc(0));
    wire.halfClose();
  });
}

const refused = (message: string) => () => Promise.reject(Object.assign(new Error(message), { code: 16 }));
const headersOf = (entries: Record<string, string>) => async () => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
};

const FAULTS: [string, () => unknown, number, RegExp][] = [
  [
    'throw',
    () => {
      throw new Error('no token');
    },
    2,
    /no token/,
  ],
  [
    'throw what is no error',
    () => {
      throw 'no token';
    },
    2,
    /no token/,
  ],
  ['reject', refused('no token'), 16, /no token/],
  ['reject with nothing', () => Promise.reject(undefined), 2, /undefined/],
  ['give nothing', () => Promise.resolve(undefined), 2, /no Metadata/],
  ['give what is no Metadata', () => Promise.resolve({ authorization: 'x' }), 2, /no Metadata/],
  ['give it at once', () => bearer('x'), 0, /^$|^OK$/],
  ['give a header of the connection', headersOf({ connection: 'close' }), 2, /cannot be sent: "connection"/],
  ['give a pseudo header', headersOf({ ':path': '/x' }), 2, /cannot be sent: ":path"/],
];

describe.each(FAULTS)('credentials that %s', (_, generate, code, details) => {
  it.each(['of a call', 'of a connection'])('end their call, and no other: %s', async (whose) => {
    const faulty = new Any(generate);
    const { connection, server } = await connect(whose === 'of a call' ? undefined : new Adding(faulty));
    const start = whose === 'of a call' ? { credentials: faulty } : {};
    const status = await call(connection, start);
    expect(status).toMatchObject({ code, details: expect.stringMatching(details) });
    if (code !== 0) expect(status.reached).toBe('unsendable');
    if (whose === 'of a call') expect((await call(connection)).code).toBe(0);
    expect(server.connections).toBe(1);
  });
});

describe('credentials', () => {
  it('that say what the call has said already end it: there is one authorization', async () => {
    for (const ofConnection of [undefined, new Adding(new Any(async () => bearer('theirs')))]) {
      const { connection, server, tokens } = await connect(ofConnection);
      const credentials = ofConnection === undefined ? new Any(async () => bearer('theirs')) : undefined;
      expect(await call(connection, { metadata: bearer('mine'), credentials })).toMatchObject({
        reached: 'unsendable',
        details: expect.stringContaining('"authorization" has 2 values'),
      });
      expect((await call(connection)).code).toBe(0);
      expect([tokens.length, server.connections]).toEqual([1, 1]);
    }
  });

  it('of call and connection together are one check', async () => {
    const { connection, tokens } = await connect(new Adding(new Any(headersOf({ 'x-fleet': 'a' }))));
    expect((await call(connection, { credentials: new Any(async () => bearer('mine')) })).code).toBe(0);
    expect(tokens).toEqual(['mine']);
    const both = await connect(new Adding(new Any(async () => bearer('fleet'))));
    expect(await call(both.connection, { credentials: new Any(async () => bearer('mine')) })).toMatchObject({
      reached: 'unsendable',
    });
    expect(both.server.connections).toBe(1);
  });

  it('are asked in the context of whoever started the call, whenever the connection is READY', async () => {
    const user = new AsyncLocalStorage<string>();
    const asking = new Any(async () => bearer(user.getStore() ?? 'nobody'));
    const { connection, tokens } = await connect(undefined, false);
    const calls = ['alice', 'bob'].map((name) =>
      user.run(name, () => call(connection, { credentials: asking })),
    );
    for (const status of await Promise.all(calls)) expect(status.code).toBe(0);
    expect(tokens.sort()).toEqual(['alice', 'bob']);
  });
});
