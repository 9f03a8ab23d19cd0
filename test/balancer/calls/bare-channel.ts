// Bare grpc-js channels as evenkeel makes them, and calls on them by hand.
import {
  type ChannelInterface,
  Client,
  connectivityState,
  credentials,
  type InterceptingListener,
  Metadata,
  type StatusObject,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { CHANNEL_OPTIONS } from '../../../src/balancer/transport/grpc-js/channel-options.js';
import { answer, type RawCall, RawServer } from './raw-server.js';
import { RUN } from './scenario-server.js';

const METHOD = EchoService.unary.path;

export async function serve(handle: (call: RawCall) => void = answer): Promise<RawServer> {
  const server = await RawServer.start(handle);
  onTestFinished(() => server.close());
  return server;
}

export function channelTo(address: string): ChannelInterface {
  const client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  onTestFinished(() => client.close());
  return client.getChannel();
}

export async function readyChannelTo(address: string): Promise<ChannelInterface> {
  const channel = channelTo(address);
  channel.getConnectivityState(true);
  await until(channel, connectivityState.READY);
  return channel;
}

export async function until(
  channel: ChannelInterface,
  wanted: connectivityState,
): Promise<connectivityState[]> {
  const seen: connectivityState[] = [];
  for (;;) {
    const state = channel.getConnectivityState(false);
    seen.push(state);
    if (state === wanted) return seen;
    await changeFrom(channel, state);
  }
}

export function changeFrom(channel: ChannelInterface, state: connectivityState): Promise<Error | undefined> {
  return new Promise((resolve) => channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, resolve));
}

/** A call with all that it tells, and when. */
export function makeCall(
  channel: ChannelInterface,
  { deadline = Number.POSITIVE_INFINITY, run = 'unnamed' } = {},
) {
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

/** The address of a server that accepts connections, and never says a word on them. */
export async function listenInSilence(): Promise<string> {
  const server = await serve();
  await server.fallSilent();
  return server.address;
}
