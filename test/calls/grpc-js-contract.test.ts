// What src/balancer relies on in grpc-js, and its documentation does not promise.

import { tmpdir } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type ChannelInterface,
  Client,
  connectivityState,
  credentials,
  type InterceptingListener,
  Metadata,
  Server,
  ServerCredentials,
  type StatusObject,
} from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { CHANNEL_OPTIONS, cancelOnceUnderWay } from '../../src/balancer/subchannel.js';
import { answer, type RawCall, RawServer, refuse } from './raw-server.js';
import { RUN } from './scenario-server.js';

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE, SHUTDOWN } = connectivityState;
const METHOD = EchoService.unary.path;

async function serve(handle: (call: RawCall) => void = answer): Promise<RawServer> {
  const server = await RawServer.start(handle);
  onTestFinished(() => server.close());
  return server;
}

function channelTo(address: string): ChannelInterface {
  const client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  onTestFinished(() => client.close());
  return client.getChannel();
}

async function readyChannelTo(address: string): Promise<ChannelInterface> {
  const channel = channelTo(address);
  channel.getConnectivityState(true);
  await until(channel, READY);
  return channel;
}

async function until(channel: ChannelInterface, wanted: connectivityState): Promise<connectivityState[]> {
  const seen: connectivityState[] = [];
  for (;;) {
    const state = channel.getConnectivityState(false);
    seen.push(state);
    if (state === wanted) return seen;
    await changeFrom(channel, state);
  }
}

function changeFrom(channel: ChannelInterface, state: connectivityState): Promise<Error | undefined> {
  return new Promise((resolve) => channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, resolve));
}

/** A call with all that it tells, and when. */
function makeCall(channel: ChannelInterface, { deadline = Number.POSITIVE_INFINITY, run = 'unnamed' } = {}) {
  const call = channel.createCall(METHOD, deadline, null, null, null);
  const told: string[] = [];
  let end = (_: StatusObject) => {};
  const ended = new Promise<StatusObject>((resolve) => {
    end = resolve;
  });
  const listener: InterceptingListener = {
    onReceiveMetadata: () => told.push('metadata'),
    onReceiveMessage: () => told.push('message'),
    onReceiveStatus: (status) => {
      told.push(`status ${status.code}`);
      end(status);
    },
  };
  const metadata = new Metadata();
  metadata.set(RUN, run);
  const start = (given: Metadata = metadata) => {
    call.start(given, listener);
    call.startRead();
    call.sendMessageWithContext({}, Buffer.alloc(0));
    call.halfClose();
  };
  return { call, told, ended, start };
}

describe('a call of a channel', () => {
  it('has all that drives it', async () => {
    const { call } = makeCall(channelTo((await serve()).address));
    const driven = ['start', 'sendMessageWithContext', 'startRead', 'halfClose', 'cancelWithStatus'] as const;
    const asked = ['getPeer', 'setCredentials', 'getCallNumber', 'getAuthContext'] as const;
    for (const name of [...driven, ...asked]) expect(call[name], name).toBeTypeOf('function');
  });

  it('tells of headers, message and status in this order, and never in the turn of who starts it', async () => {
    const { told, ended, start } = makeCall(await readyChannelTo((await serve()).address));
    start();
    expect(told).toEqual([]);
    expect(Object.keys(await ended).sort()).toEqual(['code', 'details', 'metadata']);
    expect(told).toEqual(['metadata', 'message', 'status 0']);
  });

  it.each(['127.0.0.1', '[::1]', 'unix:'])(
    'has for peer its target until it has a stream, on %s',
    async (host) => {
      const server = new Server();
      onTestFinished(() => server.forceShutdown());
      const path = `unix:${tmpdir()}/evenkeel-${process.pid}-${Date.now()}.sock`;
      const port = await new Promise<number>((resolve, reject) => {
        const address = host === 'unix:' ? path : `${host}:0`;
        server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
          error === null ? resolve(bound) : reject(error),
        );
      });
      const channel = await readyChannelTo(host === 'unix:' ? path : `${host}:${port}`);
      const { call, ended, start } = makeCall(channel);
      expect(call.getPeer()).toBe(channel.getTarget());
      start();
      expect(call.getPeer()).toBe(channel.getTarget());
      await ended;
      expect(call.getPeer()).not.toBe(channel.getTarget());
      expect(call.getPeer()).toContain(host === 'unix:' ? '.sock' : `:${port}`);
    },
  );

  it('is given a copy of its metadata, and changes nothing in what it was given', async () => {
    const channel = await readyChannelTo((await serve()).address);
    const shared = Object.freeze(new Metadata()) as Metadata;
    const { ended, start } = makeCall(channel, { deadline: Date.now() + 10_000 });
    start(shared);
    expect((await ended).code).toBe(0);
    expect(shared.getMap()).toEqual({});
  });

  it('says by its peer that its headers could not be sent', async () => {
    const channel = await readyChannelTo((await serve()).address);
    const { call, ended, start } = makeCall(channel);
    const unsendable = new Metadata();
    unsendable.set('connection', 'close');
    start(unsendable);
    expect(await ended).toMatchObject({
      code: 13,
      details: expect.stringMatching(/^Failed to start HTTP\/2 stream/),
    });
    expect(call.getPeer()).toBe(channel.getTarget());
  });

  it('says by its peer that its credentials failed, and in its details', async () => {
    const channel = await readyChannelTo((await serve()).address);
    const { call, ended, start } = makeCall(channel);
    const failing = (code: number) => Object.assign(new Error('no token'), { code });
    call.setCredentials(credentials.createFromMetadataGenerator((_, callback) => callback(failing(14))));
    start();
    const details = 'Getting metadata from plugin failed with error: no token';
    expect(await ended).toMatchObject({ code: 14, details });
    expect(call.getPeer()).toBe(channel.getTarget());
  });

  it('that is refused has a peer, a text of its own, and not a header', async () => {
    const channel = await readyChannelTo((await serve(refuse)).address);
    const { call, told, ended, start } = makeCall(channel);
    start();
    const { code, details, metadata } = await ended;
    expect({ code, details }).toEqual({ code: 14, details: 'Stream refused by server' });
    expect(metadata.getMap()).toEqual({});
    expect(told).toEqual(['status 14']);
    expect(call.getPeer()).not.toBe(channel.getTarget());
  });
});

describe('cancelling a call', () => {
  it('in the turn in which it starts is forgotten: the server gets it', async () => {
    const server = await serve();
    const { call, ended, start } = makeCall(await readyChannelTo(server.address));
    start();
    call.cancelWithStatus(1, 'no more');
    expect(await ended).toMatchObject({ code: 1 });
    await expect.poll(() => server.arrivals).toHaveLength(1);
  });

  it('once its first attempt is under way is not, which is before it has a stream', async () => {
    const server = await serve();
    const channel = await readyChannelTo(server.address);
    const { call, told, ended, start } = makeCall(channel, { run: 'cancelled' });
    start();
    await cancelOnceUnderWay(call, channel.getTarget(), () => call.cancelWithStatus(1, 'no more'));
    expect(await ended).toMatchObject({ code: 1 });
    const next = makeCall(channel, { run: 'next' });
    next.start();
    await next.ended;
    expect(server.arrivals).toEqual(['next']);
    expect(told).toEqual(['status 1']);
  });

  it('leaves it its target for peer where it had no stream, and else its server', async () => {
    const silent = await listenInSilence();
    const server = await serve(() => {});
    for (const [channel, sent] of [
      [channelTo(silent), false],
      [await readyChannelTo(server.address), true],
    ] as const) {
      const { call, ended, start } = makeCall(channel);
      start();
      await turn();
      expect(call.getPeer()).toBe('unknown');
      if (sent) await expect.poll(() => server.arrivals).toHaveLength(1);
      call.cancelWithStatus(14, 'moved');
      expect(await ended).toMatchObject({ code: 14, details: 'moved' });
      expect(call.getPeer() === channel.getTarget()).toBe(!sent);
    }
  });
});

/** The address of a server that accepts connections, and never says a word on them. */
async function listenInSilence(): Promise<string> {
  const server = await serve();
  await server.fallSilent();
  return server.address;
}

describe('the connectivity of a channel', () => {
  it.each<[string, (server: RawServer) => void]>([
    ['dropped', (server) => server.drop()],
    ['told to go away', (server) => server.goAway()],
  ])('is IDLE once it is %s, and stays so until asked', async (_, lose) => {
    const server = await serve();
    const channel = await readyChannelTo(server.address);
    lose(server);
    expect(await until(channel, IDLE)).toEqual([READY, IDLE]);
    for (let i = 0; i < 20; i++) await turn();
    expect(channel.getConnectivityState(false)).toBe(IDLE);
    expect(server.connections).toBe(1);
    expect(channel.getConnectivityState(true)).toBe(IDLE);
    await until(channel, READY);
    expect(server.connections).toBe(2);
  });

  it('is TRANSIENT_FAILURE after a failed connect, and never CONNECTING again before READY', async () => {
    const server = await serve();
    const { address } = server;
    await server.close();
    const channel = channelTo(address);
    expect(channel.getConnectivityState(true)).toBe(IDLE);
    expect(await until(channel, TRANSIENT_FAILURE)).not.toContain(READY);
    channel.getConnectivityState(true);
    for (let i = 0; i < 20; i++) await turn();
    expect(channel.getConnectivityState(false)).toBe(TRANSIENT_FAILURE);
  });

  it('says why it failed in the details of a call, which is not sent', async () => {
    const server = await serve();
    const { address } = server;
    await server.close();
    const channel = channelTo(address);
    channel.getConnectivityState(true);
    await until(channel, TRANSIENT_FAILURE);
    const { call, ended, start } = makeCall(channel);
    start();
    expect(await ended).toMatchObject({
      code: 14,
      details: expect.stringContaining(`connect ECONNREFUSED ${address}`),
    });
    expect(call.getPeer()).toBe(channel.getTarget());
  });

  it('is CONNECTING for as long as the peer says nothing', async () => {
    const channel = channelTo(await listenInSilence());
    channel.getConnectivityState(true);
    await until(channel, CONNECTING);
    const { call, ended, start } = makeCall(channel, { deadline: Date.now() + 200 });
    start();
    expect(await ended).toMatchObject({ code: 4, details: expect.stringContaining('Waiting for LB pick') });
    expect(call.getPeer()).toBe(channel.getTarget());
    expect(channel.getConnectivityState(false)).toBe(CONNECTING);
  });
});

describe('closing a channel', () => {
  it('fires its watches, and lets an open stream finish', async () => {
    const held: RawCall[] = [];
    const server = await serve((call) => held.push(call));
    const channel = await readyChannelTo(server.address);
    const { told, ended, start } = makeCall(channel);
    start();
    await expect.poll(() => held).toHaveLength(1);
    const changed = changeFrom(channel, READY);
    channel.close();
    expect(await changed).toBeUndefined();
    expect(channel.getConnectivityState(false)).toBe(SHUTDOWN);
    answer(held[0]!);
    expect((await ended).code).toBe(0);
    expect(told).toEqual(['metadata', 'message', 'status 0']);
  });

  it('fails a call that has no stream yet, unsent, and throws at later ones', async () => {
    const server = await serve();
    for (const channel of [channelTo(await listenInSilence()), await readyChannelTo(server.address)]) {
      const { call, ended, start } = makeCall(channel);
      start();
      if (channel.getConnectivityState(false) !== READY) await turn();
      channel.close();
      expect(await ended).toMatchObject({ code: 14, details: 'Channel closed before call started' });
      expect(call.getPeer()).toBe(channel.getTarget());
      expect(() => makeCall(channel)).toThrow('Channel has been shut down');
      expect(() => channel.watchConnectivityState(SHUTDOWN, 0, () => {})).toThrow(
        'Channel has been shut down',
      );
    }
    expect(server.arrivals).toEqual([]);
  });

  it('is undone by asking it to connect', async () => {
    const server = await serve();
    const channel = await readyChannelTo(server.address);
    channel.close();
    channel.getConnectivityState(true);
    expect(channel.getConnectivityState(false)).not.toBe(SHUTDOWN);
    channel.close();
  });
});
