import { Readable } from 'node:stream';
import type { Message } from '@bufbuild/protobuf';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../base/clock.js';
import type { Exchange } from './exchange.js';

/** How a stream of messages is written to the client. */
interface Framing {
  readonly contentType: string;
  readonly opening: string;
  message(json: string): string;
  failure(json: string): string;
  readonly end: string;
}

/** One message a line. A call that fails on the way ends with the line `{"error":{...}}`. */
const LINES: Framing = {
  contentType: 'application/x-ndjson',
  opening: '',
  message: (json) => `${json}\n`,
  failure: (json) => `{"error":${json}}\n`,
  end: '',
};

/**
 * Server-sent events: one message an event. A call that fails on the way ends with an `error`, one that ends well with an
 * `end`: without it an EventSource could not tell the end from a cut, and would make the call anew.
 */
const EVENTS: Framing = {
  contentType: 'text/event-stream',
  opening: ':\n\n',
  message: (json) => `data: ${json}\n\n`,
  failure: (json) => `event: error\ndata: ${json}\n\n`,
  end: 'event: end\ndata: {}\n\n',
};

/**
 * How long an answer with the server's headers waits for what comes first, in milliseconds: servers that have set headers send
 * them even with a status that is an error, and at once.
 */
const SETTLE_MS = 50;

/**
 * Answers with a stream of messages. The answer begins with the first message, or a moment after the server has sent its
 * headers; a call that fails before is an error like any other.
 *
 * @param headersCame - resolves with the server's headers.
 * @param failureJson - the body that an error would have, and what is to be done about it.
 */
export async function sendMessages(
  reply: FastifyReply,
  exchange: Exchange,
  messages: AsyncGenerator<Message, void, undefined>,
  headersCame: Promise<void>,
  failureJson: (thrown: unknown) => string,
): Promise<FastifyReply> {
  const first = messages.next();
  await Promise.race([first, headersCame]);
  await settled(first, SETTLE_MS, exchange.clock);
  const framing = wantsEvents(exchange) ? EVENTS : LINES;
  const headers = { 'content-type': framing.contentType, 'cache-control': 'no-store' };
  exchange.addHeaders(headers);
  const frames = framesOf(framing, exchange, messages, first, failureJson);
  return reply.headers(headers).send(Readable.from(frames));
}

/** Resolves when the promise does, or after a time; rejects when it does so before. */
function settled(promise: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, resolve);
    promise.then(() => resolve(), reject).finally(cancel);
  });
}

async function* framesOf(
  framing: Framing,
  exchange: Exchange,
  messages: AsyncGenerator<Message, void, undefined>,
  first: Promise<IteratorResult<Message, void>>,
  failureJson: (thrown: unknown) => string,
): AsyncGenerator<string, void, undefined> {
  // The client is to know that the call is under way, though there may be no message for long.
  exchange.response.flushHeaders();
  if (framing.opening !== '') yield framing.opening;
  try {
    for (let next = await first; next.done !== true; next = await messages.next()) {
      yield framing.message(exchange.route.transcoder.response(next.value));
    }
    if (framing.end !== '') yield framing.end;
  } catch (thrown) {
    yield framing.failure(failureJson(thrown));
  } finally {
    await messages.return();
  }
  exchange.response.addTrailers(exchange.trailers());
}

function wantsEvents({ request }: Exchange): boolean {
  return /\btext\/event-stream\b/.test(request.headers.accept ?? '');
}
