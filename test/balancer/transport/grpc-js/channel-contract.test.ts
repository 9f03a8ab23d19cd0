// What src/balancer relies on in grpc-js's channels, and its documentation does not promise.
import { setImmediate as turn } from 'node:timers/promises';
import { connectivityState } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  changeFrom,
  channelTo,
  listenInSilence,
  makeCall,
  readyChannelTo,
  serve,
  until,
} from '../../calls/bare-channel.js';
import { answer, type RawCall, type RawServer } from '../../calls/raw-server.js';

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE, SHUTDOWN } = connectivityState;

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
