import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import type { Exchange } from './exchange.js';
import { rawHeaders } from './raw-body.js';

type Messages = AsyncGenerator<Buffer, void, undefined>;

/** How a stream of messages is written to the client. */
interface Framing {
  readonly headers: Readonly<Record<string, string>>;
  readonly opening: string;
  message(bytes: Buffer): string | Uint8Array;
  /** What an answer ends with whose call has failed; undefined when it must be cut, to be seen to be incomplete. */
  failure(json: string): string | undefined;
  readonly end: string;
}

/** One message a line. A call that fails on the way ends with the line `{"error":{...}}`. */
function lines({ route }: Exchange): Framing {
  return {
    headers: { 'content-type': 'application/x-ndjson' },
    opening: '',
    message: (bytes) => `${route.responses.json(bytes)}\n`,
    failure: (json) => `{"error":${json}}\n`,
    end: '',
  };
}

/**
 * Server-sent events: one message an event. A call that fails on the way ends with an `error`, one that ends well with an
 * `end`: without it an EventSource could not tell the end from a cut, and would make the call anew.
 */
function events({ route }: Exchange): Framing {
  return {
    headers: { 'content-type': 'text/event-stream' },
    opening: ':\n\n',
    message: (bytes) => `data: ${route.responses.json(bytes)}\n\n`,
    failure: (json) => `event: error\ndata: ${json}\n\n`,
    end: 'event: end\ndata: {}\n\n',
  };
}

/** Bodies as they are, one behind the other: of the type that the first says. */
function raw({ route }: Exchange, first: Buffer | undefined): Framing {
  return {
    headers: rawHeaders(first === undefined ? '' : route.responses.body(first).contentType),
    opening: '',
    message: (bytes) => route.responses.body(bytes).bytes,
    failure: () => undefined,
    end: '',
  };
}

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
  messages: Messages,
  headersCame: Promise<void>,
  failureJson: (thrown: unknown) => string,
): Promise<FastifyReply> {
  const first = messages.next();
  /** The call is not waited for any more. */
  const leave = () => {
    first.catch(() => {});
    exchange.abandon();
    messages.return().catch(() => {});
  };
  let framing: Framing;
  try {
    framing = await framingOf(exchange, first, headersCame);
  } catch (thrown) {
    leave();
    throw thrown;
  }
  const headers = { ...framing.headers, 'cache-control': 'no-store' };
  exchange.addHeaders(headers);
  if (exchange.request.method === 'HEAD') {
    // That is all there is to say: the messages would go nowhere.
    leave();
    return reply.headers(headers).send(Readable.from([]));
  }
  const frames = framesOf(framing, exchange, messages, first, failureJson);
  return reply.headers(headers).send(Readable.from(frames));
}

async function framingOf(
  exchange: Exchange,
  first: Promise<IteratorResult<Buffer, void>>,
  headersCame: Promise<void>,
): Promise<Framing> {
  // Where answers are as they are, the first says what type they are of.
  if (exchange.route.responses.raw) return raw(exchange, (await first).value ?? undefined);
  await Promise.race([first, headersCame]);
  await settled(first, SETTLE_MS, exchange.clock);
  return wantsEvents(exchange) ? events(exchange) : lines(exchange);
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
  messages: Messages,
  first: Promise<IteratorResult<Buffer, void>>,
  failureJson: (thrown: unknown) => string,
): AsyncGenerator<string | Uint8Array, void, undefined> {
  const { response, patience } = exchange;
  // The client is to know that the call is under way, though there may be no message for long.
  response.flushHeaders();
  if (framing.opening !== '') yield framing.opening;
  try {
    for (let next = await first; next.done !== true; next = await messages.next()) {
      const frame = framing.message(next.value);
      if (frame.length === 0) continue;
      // Gone on with when there is room for more: the client has read.
      const stop = patience.wait(() => response.destroy());
      try {
        yield frame;
      } finally {
        stop();
      }
      patience.heard();
    }
    if (framing.end !== '') yield framing.end;
  } catch (thrown) {
    const frame = framing.failure(failureJson(thrown));
    if (frame === undefined) throw asError(thrown);
    yield frame;
  } finally {
    await messages.return();
  }
  response.addTrailers(exchange.trailers());
}

function wantsEvents({ request }: Exchange): boolean {
  return /\btext\/event-stream\b/.test(request.headers.accept ?? '');
}
