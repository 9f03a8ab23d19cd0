import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { asError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { boundReading } from '../base/bound-reading.js';
import type { BodyLimits } from './body.js';
import type { Exchange } from './exchange.js';
import { type Failure, failureOf } from './failure.js';
import { rawHeaders } from './raw-body.js';
import { requestMessages } from './request-stream.js';
import { sendMessages } from './response-stream.js';
import { statusDetails } from './status-details.js';

/** What holds for every request. */
export interface AnswerOptions {
  readonly limits: BodyLimits;
  /** For a call whose client gives no time; for streams: to find a server that is READY. In milliseconds. */
  readonly timeoutMs: number;
  readonly logger: Logger;
}

/**
 * Makes the call of a request and answers with what comes of it.
 *
 * @param body - the text of the body, or its bytes where it is taken as it is; of a request that is a stream, '' in its place.
 */
export async function answer(
  exchange: Exchange,
  reply: FastifyReply,
  body: string | Buffer,
  options: AnswerOptions,
): Promise<FastifyReply> {
  const { upstream, pool } = exchange.route;
  const { timeoutMs, limits } = options;
  if (upstream.kind === 'unary') {
    const request = encoded(exchange, body);
    return sendMessage(exchange, reply, await upstream.call(request, exchange.callOptions(timeoutMs)));
  }
  // Streams may go on for as long as they like, and so would those that wait for a server.
  await pool.ready({ timeoutMs: exchange.timeLeftMs(timeoutMs), signal: exchange.signal() });
  if (upstream.kind === 'client_streaming') {
    const requests = requestMessages(exchange, limits);
    return sendMessage(exchange, reply, await upstream.call(requests, exchange.callOptions(undefined)));
  }
  let headersCame = () => {};
  const headers = new Promise<void>((resolve) => {
    headersCame = resolve;
  });
  const callOptions = exchange.callOptions(undefined, headersCame);
  const responses =
    upstream.kind === 'server_streaming'
      ? upstream.call(encoded(exchange, body), callOptions)
      : upstream.call(requestMessages(exchange, limits), callOptions);
  return sendMessages(reply, exchange, responses, headers, (thrown) =>
    JSON.stringify(failureOn(exchange, thrown, options.logger).body),
  );
}

function encoded({ encode, contentType }: Exchange, body: string | Buffer): Buffer {
  return encode(typeof body === 'string' ? body : { contentType, bytes: body });
}

/** Answers with what went wrong. */
export function answerFailure(
  exchange: Exchange | undefined,
  reply: FastifyReply,
  thrown: unknown,
  logger: Logger,
): FastifyReply {
  const { httpStatus, headers, body } = failureOn(exchange, thrown, logger);
  const all: Record<string, string> = { ...JSON_HEADERS, 'x-content-type-options': 'nosniff', ...headers };
  exchange?.addHeaders(all);
  const text = JSON.stringify(body);
  if (exchange !== undefined) bound(exchange, reply, text.length);
  // Fastify would end the connection when a body is refused, and the client might not see why.
  reply.removeHeader('connection');
  return reply.code(httpStatus).headers(all).serializer(asItIs).send(text);
}

function sendMessage(exchange: Exchange, reply: FastifyReply, message: Buffer): FastifyReply {
  const { responses } = exchange.route;
  let headers: Record<string, string> = { ...JSON_HEADERS };
  let content: string | Buffer;
  if (responses.raw) {
    const { contentType, bytes } = responses.body(message);
    headers = rawHeaders(contentType);
    content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } else {
    content = responses.json(message);
  }
  exchange.addHeaders(headers);
  bound(exchange, reply, content.length);
  const trailers = exchange.trailers();
  const names = Object.keys(trailers);
  if (names.length === 0) return reply.headers(headers).serializer(asItIs).send(content);
  // Trailers stand behind a body in chunks, which Fastify makes of a stream. Its own trailers are announced with no commas.
  reply.raw.addTrailers(trailers);
  return reply.headers({ ...headers, trailer: names.join(', ') }).send(Readable.from([content]));
}

function bound({ patience }: Exchange, reply: FastifyReply, length: number): void {
  boundReading(reply.raw, length, patience.ms, reply.server.server.keepAliveTimeout);
}

/** As the Go original has it; without a serializer of ours, Fastify would add a charset that JSON does not have. */
const JSON_HEADERS = { 'content-type': 'application/json' };
const asItIs = (text: string) => text;

function failureOn(exchange: Exchange | undefined, thrown: unknown, logger: Logger): Failure {
  const failure = failureOf(thrown, (status) =>
    exchange === undefined ? [] : statusDetails(status, exchange.route.types),
  );
  if (failure.unexpected) logger.warn(`the gateway failed: ${asError(thrown).stack}`);
  return failure;
}
