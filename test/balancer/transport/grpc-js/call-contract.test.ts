// What src/balancer relies on in grpc-js's calls, and its documentation does not promise.
import { networkInterfaces, tmpdir } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cancelOnceUnderWay } from '../../../../src/balancer/transport/grpc-js/cancel.js';
import { channelTo, listenInSilence, makeCall, readyChannelTo, serve } from '../../calls/bare-channel.js';
import { refuse } from '../../calls/raw-server.js';

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

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

  it.each(['127.0.0.1', ...(HAS_IPV6 ? ['[::1]'] : []), 'unix:'])(
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
