import { STATUS_CODES } from 'node:http';
import type { JsonValue } from '@bufbuild/protobuf';
import type { StatusObject } from '@grpc/grpc-js';
import { CallError } from '../../balancer/calls/call-error.js';
import { BalancerError, Status } from '../../base/errors.js';
import { clipped, RETRY_AFTER, RequestError } from '../base/request-error.js';
import { codeOf, httpStatusOf } from './http-status.js';
import { withoutInternals } from './internals.js';

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

/** The failure that whatever was thrown amounts to. */
export function failureOf(
  thrown: unknown,
  detailsOf: (status: StatusObject) => readonly JsonValue[],
): Failure {
  // What a reader of the request body found stands behind the call that it cancelled.
  const error = thrown instanceof CallError && thrown.cause instanceof RequestError ? thrown.cause : thrown;
  if (error instanceof RequestError)
    return failure(error.httpStatus, error.code, clipped(error.message), error.headers);
  // What the pool itself had to say, as it is or as the cause of a call that failed.
  const own = error instanceof CallError ? error.cause : error;
  if (own instanceof BalancerError) return refusal(own);
  if (error instanceof CallError) {
    const { code } = error;
    const message = withoutInternals(error);
    return {
      ...failure(httpStatusOf(code), code, message),
      ...bodyOf(code, message, detailsOf(error)),
      status: error,
    };
  }
  const { statusCode, code, message } = (error ?? {}) as Partial<
    Record<'statusCode' | 'code' | 'message', unknown>
  >;
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    // Fastify says what is wrong with a request; whoever else throws may say more than is for its sender.
    const ofFastify = typeof code === 'string' && code.startsWith('FST_');
    const what = ofFastify ? clipped(String(message)) : (STATUS_CODES[statusCode] ?? 'Bad Request');
    return failure(statusCode, codeOf(statusCode), what);
  }
  return unexpected();
}

/** A refusal by the pool itself. What it says of the fleet is for the operator, not for whoever sent the request. */
function refusal({ code, message }: BalancerError): Failure {
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
    case 'INVALID_METADATA':
      // It names the header, and not its value.
      return failure(400, Status.INVALID_ARGUMENT, clipped(message));
    case 'ABORTED':
      return failure(499, Status.CANCELLED, 'the client has gone');
    default:
      return unexpected();
  }
}

function unexpected(): Failure {
  return { ...failure(500, Status.INTERNAL, 'internal error'), unexpected: true };
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
