import type { JsonValue } from '@bufbuild/protobuf';
import type { StatusObject } from '@grpc/grpc-js';
import { CallError } from '../balancer/calls/call-error.js';
import { BalancerError, Status } from '../base/errors.js';

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

/** gRPC codes as HTTP statuses, as google/rpc/code.proto specifies. */
const HTTP_STATUS: Readonly<Record<number, number>> = {
  [Status.OK]: 200,
  [Status.CANCELLED]: 499,
  [Status.UNKNOWN]: 500,
  [Status.INVALID_ARGUMENT]: 400,
  [Status.DEADLINE_EXCEEDED]: 504,
  [Status.NOT_FOUND]: 404,
  [Status.ALREADY_EXISTS]: 409,
  [Status.PERMISSION_DENIED]: 403,
  [Status.RESOURCE_EXHAUSTED]: 429,
  [Status.FAILED_PRECONDITION]: 400,
  [Status.ABORTED]: 409,
  [Status.OUT_OF_RANGE]: 400,
  [Status.UNIMPLEMENTED]: 501,
  [Status.INTERNAL]: 500,
  [Status.UNAVAILABLE]: 503,
  [Status.DATA_LOSS]: 500,
  [Status.UNAUTHENTICATED]: 401,
};

/** The HTTP status for a gRPC status code; 500 for a code that is none. */
export function httpStatusOf(code: number): number {
  return HTTP_STATUS[code] ?? 500;
}

/** The gRPC status code for an HTTP status that HTTP itself gave rise to: a body that is too large, say. */
function codeOf(httpStatus: number): number {
  switch (httpStatus) {
    case 403:
      return Status.PERMISSION_DENIED;
    case 404:
      return Status.NOT_FOUND;
    case 405:
      return Status.UNIMPLEMENTED;
    case 408:
      return Status.DEADLINE_EXCEEDED;
    case 413:
    case 429:
    case 431:
      return Status.RESOURCE_EXHAUSTED;
    default:
      return httpStatus < 500 ? Status.INVALID_ARGUMENT : Status.INTERNAL;
  }
}

/** An answer that says what went wrong. */
export interface Failure {
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly code: number; readonly message: string; readonly details: readonly JsonValue[] };
  /** The trailing metadata of the call that failed, when it had reached a server. */
  readonly status: StatusObject | undefined;
  /** The gateway itself is at fault, or something that it knows nothing of. */
  readonly unexpected: boolean;
}

/** What grpc-js says where it ends a call itself: with the server's address, which is not for whoever sent the request. */
const OWN_DEADLINE = /^Deadline exceeded after [\d.]+s/;

/** The failure that whatever was thrown amounts to. */
export function failureOf(
  thrown: unknown,
  detailsOf: (status: StatusObject) => readonly JsonValue[],
): Failure {
  // What a reader of the request body found stands behind the call that it cancelled.
  const error = thrown instanceof CallError && thrown.cause instanceof RequestError ? thrown.cause : thrown;
  if (error instanceof RequestError)
    return failure(error.httpStatus, error.code, error.message, error.headers);
  // What the pool itself had to say, as it is or as the cause of a call that failed.
  const own = error instanceof CallError ? error.cause : error;
  const refused = own instanceof BalancerError ? refusal(own) : undefined;
  if (refused !== undefined) return refused;
  if (error instanceof CallError) {
    const { code } = error;
    const message = OWN_DEADLINE.test(error.details) ? 'the server did not answer in time' : error.details;
    return {
      ...failure(httpStatusOf(code), code, message),
      ...bodyOf(code, message, detailsOf(error)),
      status: error,
    };
  }
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return failure(statusCode, codeOf(statusCode), String(message));
  }
  return { ...failure(500, Status.INTERNAL, 'internal error'), unexpected: true };
}

/** A refusal by the pool itself. What it says of the fleet is for the operator, not for whoever sent the request. */
function refusal({ code }: BalancerError): Failure | undefined {
  switch (code) {
    case 'QUEUE_FULL':
      return failure(
        429,
        Status.RESOURCE_EXHAUSTED,
        'too many requests are waiting for this service',
        RETRY_AFTER,
      );
    case 'NO_ENDPOINTS':
    case 'DEADLINE':
      return failure(503, Status.UNAVAILABLE, 'no server of this service was ready in time', RETRY_AFTER);
    case 'CLOSED':
      return failure(503, Status.UNAVAILABLE, 'this gateway is closing', RETRY_AFTER);
    case 'ABORTED':
      return failure(499, Status.CANCELLED, 'the client has gone');
    default:
      return undefined;
  }
}

function failure(
  httpStatus: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Failure {
  return { httpStatus, headers, ...bodyOf(code, message, []), status: undefined, unexpected: false };
}

function bodyOf(code: number, message: string, details: readonly JsonValue[]): Pick<Failure, 'body'> {
  return { body: { code, message, details } };
}
