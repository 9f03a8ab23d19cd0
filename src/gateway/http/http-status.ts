import { Status } from '../../base/errors.js';

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
export function codeOf(httpStatus: number): number {
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
