import { Metadata } from '@grpc/grpc-js';
import {
  EchoClient,
  type EchoReply,
  type EchoRequest,
  EchoService,
} from '../../generated/evenkeel/echo/v1/echo.js';
import type { Pool } from '../../src/balancer/pool/pool.js';

/** What bounds a call from outside. */
export interface Bounds {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * One way to make a call. `ended` is told of its end, with an error unless it was answered in full; told twice, something
 * is wrong with the client.
 *
 * @param delayMs - how long the server is to take for each answer.
 */
export type Way = (bounds: Bounds, delayMs: number, ended: (error?: unknown) => void) => void;

export const WAYS = ['unary', 'serverStream', 'clientStream', 'bidi'] as const;
export type Kind = (typeof WAYS)[number];

/** How many messages a stream has. */
export const MESSAGES = 3;

const PAYLOAD = Buffer.from('soak');

export function echoRequest(more: Partial<EchoRequest> = {}): EchoRequest {
  return { payload: PAYLOAD, delayMs: 0, code: 0, details: '', count: MESSAGES, ...more };
}

/** A call of each kind through a stub. */
export function stubWays(pool: Pool): Record<Kind, Way> {
  const stub = pool.stub(EchoService);
  const settle = (call: Promise<unknown>, ended: (error?: unknown) => void) => {
    call.then(() => ended(), ended);
  };
  return {
    unary: (bounds, delayMs, ended) => settle(stub.unary(echoRequest({ delayMs }), bounds), ended),
    serverStream: (bounds, delayMs, ended) =>
      settle(allOf(stub.serverStream(echoRequest({ delayMs }), bounds), MESSAGES), ended),
    clientStream: (bounds, delayMs, ended) =>
      settle(stub.clientStream(requests(delayMs), bounds).then(seenAll), ended),
    bidi: (bounds, delayMs, ended) => settle(allOf(stub.bidi(requests(delayMs), bounds), MESSAGES), ended),
  };
}

/** A call of each kind through a generated client. */
export function clientWays(pool: Pool): Record<Kind, Way> {
  const client = pool.client(EchoClient);
  const options = ({ timeoutMs }: Bounds) =>
    timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
  const onAbort = ({ signal }: Bounds, call: { cancel(): void }) => {
    signal?.addEventListener('abort', () => call.cancel(), { once: true });
  };
  return {
    unary: (bounds, delayMs, ended) => {
      const call = client.unary(echoRequest({ delayMs }), new Metadata(), options(bounds), (error) =>
        ended(error ?? undefined),
      );
      onAbort(bounds, call);
    },
    serverStream: (bounds, delayMs, ended) => {
      const call = client.serverStream(echoRequest({ delayMs }), options(bounds));
      onAbort(bounds, call);
      listen(call, ended);
    },
    clientStream: (bounds, delayMs, ended) => {
      const call = client.clientStream(new Metadata(), options(bounds), (error, reply) => {
        if (error !== null) ended(error);
        else ended(shortOf(reply.seen));
      });
      onAbort(bounds, call);
      for (const message of requests(delayMs)) call.write(message);
      call.end();
    },
    bidi: (bounds, delayMs, ended) => {
      const call = client.bidi(options(bounds));
      onAbort(bounds, call);
      listen(call, ended);
      for (const message of requests(delayMs)) call.write(message);
      call.end();
    },
  };
}

/** A way as a promise. */
export function made(way: Way, bounds: Bounds, delayMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    way(bounds, delayMs, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** Reads a stream to its end, which must come after so many messages. */
export async function allOf(replies: AsyncIterable<unknown>, messages: number): Promise<void> {
  let seen = 0;
  for await (const _ of replies) seen++;
  const error = shortOf(seen, messages);
  if (error !== undefined) throw error;
}

function* requests(delayMs: number): Generator<EchoRequest> {
  for (let n = 0; n < MESSAGES; n++) yield echoRequest({ delayMs });
}

function listen(
  call: {
    on(event: 'data', hear: (reply: EchoReply) => void): unknown;
    on(event: 'error', hear: (error: Error) => void): unknown;
    on(event: 'end' | 'status', hear: () => void): unknown;
  },
  ended: (error?: unknown) => void,
): void {
  let seen = 0;
  let failure: Error | undefined;
  let well = 0;
  // The status may come while the last messages are still to be read.
  const endedWell = () => {
    if (++well >= 2) ended(shortOf(seen));
  };
  call.on('data', () => seen++);
  call.on('end', () => {
    if (failure === undefined) endedWell();
  });
  call.on('error', (error) => {
    failure = error;
  });
  call.on('status', () => {
    if (failure === undefined) endedWell();
    else ended(failure);
  });
}

function seenAll({ seen }: EchoReply): void {
  const error = shortOf(seen);
  if (error !== undefined) throw error;
}

function shortOf(seen: number, wanted = MESSAGES): Error | undefined {
  return seen === wanted ? undefined : new Error(`${seen} of ${wanted} messages came before a good end`);
}
