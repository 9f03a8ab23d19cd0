import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import { badRequest, RequestError } from '../base/request-error.js';
import { Bytes } from './bytes.js';
import type { Patience } from './patience.js';

/** Bounds on what a client sends. */
export interface BodyLimits {
  /** Of a body, or of each line of one that is a stream of messages, in bytes. */
  readonly maxBytes: number;
  /** How long a body that is not a stream may take to come in, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Reads a body that is no stream.
 *
 * @throws RequestError 400 when the client goes, 408, 413, 415.
 */
export function readBody(request: IncomingMessage, limits: BodyLimits, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    assertPlain(request);
    const { maxBytes, timeoutMs } = limits;
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const bytes = new Bytes();
    const settle = (error?: Error) => {
      cancel();
      request.off('data', add).off('end', end).off('close', lost).off('error', lost);
      if (error === undefined) resolve(bytes.take());
      else reject(error);
    };
    const add = (part: Buffer) => {
      if (bytes.length + part.length > maxBytes) settle(tooLarge(maxBytes));
      else bytes.add(part);
    };
    const end = () => settle();
    const lost = () => settle(badRequest('the connection was lost before the body had come'));
    const cancel = clock.after(timeoutMs, () => {
      const message = `the body did not come within ${timeoutMs} ms`;
      settle(new RequestError(408, Status.DEADLINE_EXCEEDED, message));
    });
    request.on('data', add).on('end', end).on('close', lost).on('error', lost);
  });
}

/** @throws RequestError 400 for what is not UTF-8. */
export function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw badRequest('the body is not UTF-8');
  return bytes.toString('utf8');
}

/**
 * Reads a body line by line, as it comes; empty lines are left out.
 *
 * @param patience - with a client that sends nothing.
 * @throws RequestError 400 for what is not UTF-8, 408, 413, 415.
 */
export async function* readLines(
  request: IncomingMessage,
  { maxBytes }: BodyLimits,
  patience: Patience,
): AsyncGenerator<string, void, undefined> {
  const line = new Bytes();
  const take = () => textOf(line.take()).trim();
  const add = (part: Buffer) => {
    if (line.length + part.length > maxBytes) throw tooLarge(maxBytes);
    line.add(part);
  };
  for await (const chunk of readChunks(request, patience)) {
    let rest = chunk;
    for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
      add(rest.subarray(0, at));
      const text = take();
      if (text !== '') yield text;
      rest = rest.subarray(at + 1);
    }
    if (rest.length > 0) add(rest);
  }
  const text = take();
  if (text !== '') yield text;
}

const NEWLINE = 0x0a;

/**
 * Reads a body as it comes.
 *
 * @throws RequestError 408 for a client that sends nothing for too long, 415.
 */
export async function* readChunks(
  request: IncomingMessage,
  patience: Patience,
): AsyncGenerator<Buffer, void, undefined> {
  assertPlain(request);
  // Leaving it must not end the connection: the answer is still to come.
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const next = await patience.with(chunks.next());
      if (next.done) return;
      yield next.value as Buffer;
    }
  } finally {
    // Not waited for: one that is silent would be waited for for ever.
    chunks.return?.().catch(() => {});
  }
}

function tooLarge(maxBytes: number): RequestError {
  return new RequestError(413, Status.RESOURCE_EXHAUSTED, `the body is larger than ${maxBytes} bytes`);
}

function assertPlain({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'];
  // Codings are named in any case (RFC 9110, 8.4.1).
  if (encoding === undefined || /^[\s,]*(?:identity[\s,]*)*$/i.test(encoding)) return;
  throw new RequestError(
    415,
    Status.INVALID_ARGUMENT,
    `a body encoded as ${encoding} is not taken: send it plain`,
  );
}

/** How long a client may go on sending what nobody wants, in milliseconds, before its connection is cut. */
const UNWANTED_MS = 5_000;

/**
 * Reads what is left of a body once the answer is out. Ending the connection instead would reset it, with data unread, and the
 * answer might be lost with it.
 */
export function discardRest(request: IncomingMessage, clock: Clock): void {
  const cancel = clock.after(UNWANTED_MS, () => request.destroy());
  request.once('end', cancel).once('close', cancel).resume();
}
