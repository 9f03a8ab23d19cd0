import { Status } from '../../base/errors.js';

/** What the gateway answers a request that it does not, or cannot, pass on. */
export class RequestError extends Error {
  override readonly name = 'RequestError';

  /**
   * @param httpStatus - of the answer.
   * @param code - the gRPC status code in its body.
   */
  constructor(
    readonly httpStatus: number,
    readonly code: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** The answer to a request that does not say what it must. */
export function badRequest(message: string): RequestError {
  return new RequestError(400, Status.INVALID_ARGUMENT, message);
}

/** The answer to a request for what is not there. */
export function notFound(): RequestError {
  return new RequestError(404, Status.NOT_FOUND, 'Not Found');
}

/** How long a client is asked to wait when there is no room, in seconds: calls and connections are back sooner. */
export const RETRY_AFTER = { 'retry-after': '1' };

/** Most characters of what a client has sent that an answer repeats: it knows what it has sent. */
const MAX_REPEATED = 200;
const HEAD = 140;
const ELLIPSIS = ' ... ';

/** A message that may hold what a client has sent, short enough to be an answer: what is wrong stands at its ends. */
export function clipped(message: string): string {
  if (message.length <= MAX_REPEATED) return message;
  return message.slice(0, HEAD) + ELLIPSIS + message.slice(HEAD + ELLIPSIS.length - MAX_REPEATED);
}
