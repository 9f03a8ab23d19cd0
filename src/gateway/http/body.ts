import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import { badRequest, RequestError } from '../base/request-error.js';

/** Bounds on what a client sends. */
export interface BodyLimits {
  /** Of a body, or of each line of one that is a stream of messages, in bytes. */
  readonly maxBytes: number;
  /** How long a body that is not a stream may take to come in, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Reads a body that is one text.
 *
 * @throws RequestError 400 for what is not UTF-8, 408, 413, 415.
 */
export function readText(request: IncomingMessage, limits: BodyLimits, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    assertPlain(request);
    const { maxBytes, timeoutMs } = limits;
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (error?: Error) => {
      cancel();
      request.off('data', add).off('end', end).off('close', lost).off('error', lost);
      if (error === undefined) resolve(textOf(parts));
      else reject(error);
    };
    const add = (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length > maxBytes) settle(tooLarge(maxBytes));
    };
    const end = () => {
      try {
        settle();
      } catch (error) {
        reject(error);
      }
    };
    const lost = () => settle(badRequest('the connection was lost before the body had come'));
    const cancel = clock.after(timeoutMs, () => {
      const message = `the body did not come within ${timeoutMs} ms`;
      settle(new RequestError(408, Status.DEADLINE_EXCEEDED, message));
    });
    request.on('data', add).on('end', end).on('close', lost).on('error', lost);
  });
}

/**
 * Reads a body line by line, as it comes; empty lines are left out.
 *
 * @throws RequestError 400 for what is not UTF-8, 413, 415.
 */
export async function* readLines(
  request: IncomingMessage,
  { maxBytes }: BodyLimits,
): AsyncGenerator<string, void, undefined> {
  assertPlain(request);
  let parts: Buffer[] = [];
  let length = 0;
  // Not for-await over the request itself: leaving that would end the connection, with the answer still to come.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    let rest = chunk as Buffer;
    for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
      if (length + at > maxBytes) throw tooLarge(maxBytes);
      const line = textOf([...parts, rest.subarray(0, at)]).trim();
      if (line !== '') yield line;
      rest = rest.subarray(at + 1);
      parts = [];
      length = 0;
    }
    parts.push(rest);
    length += rest.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
  }
  const line = textOf(parts).trim();
  if (line !== '') yield line;
}

const NEWLINE = 0x0a;

function textOf(parts: readonly Buffer[]): string {
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  if (!isUtf8(bytes)) throw badRequest('the body is not UTF-8');
  return bytes.toString('utf8');
}

function tooLarge(maxBytes: number): RequestError {
  return new RequestError(413, Status.RESOURCE_EXHAUSTED, `the body is larger than ${maxBytes} bytes`);
}

function assertPlain({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
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
