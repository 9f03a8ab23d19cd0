/** The gRPC status codes, as numbers (grpc/grpc doc/statuscodes.md). Pure code must not import grpc-js for them. */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** What went wrong, stably: match on this, never on a message. */
export type BalancerErrorCode =
  /** The wait queue is at its bound. */
  | 'QUEUE_FULL'
  /** The deadline passed while the call waited, and the table held no endpoint at all. */
  | 'NO_ENDPOINTS'
  /** The deadline passed while the call waited for a READY subchannel with room. */
  | 'DEADLINE'
  /** The caller aborted while the call waited. */
  | 'ABORTED'
  /** The pool, the registry or the registration was closed. */
  | 'CLOSED'
  /** A pick was used twice, or after it was finished. */
  | 'PICK_USED'
  /** An option has a value that cannot be. */
  | 'INVALID_OPTION'
  /** The metadata of a call cannot be sent: a reserved name, a value that is no header's, two where there can be one. */
  | 'INVALID_METADATA'
  /** An address is not `host:port`, `[v6]:port` or `unix:path`. */
  | 'INVALID_ADDRESS'
  /** No picker has this name. */
  | 'UNKNOWN_PICKER'
  /** The picker threw, or chose what it must not. */
  | 'PICKER_FAILED'
  /** The registry cannot be reached, or has ended its watch. */
  | 'REGISTRY_UNAVAILABLE'
  /** Another live process holds the registry key. */
  | 'KEY_TAKEN'
  /** A registration's lease or key is gone: expired, revoked, or deleted by someone else. */
  | 'LEASE_LOST'
  /** A connection was not made in time, or was refused. */
  | 'CONNECT_FAILED'
  /** A server cannot listen on its address: it is in use, say. */
  | 'LISTEN_FAILED'
  /** A mistake: of evenkeel's own, or of a transport, a clock or the like that was given to it. */
  | 'INTERNAL';

const STATUS_OF: Record<BalancerErrorCode, number> = {
  QUEUE_FULL: Status.RESOURCE_EXHAUSTED,
  NO_ENDPOINTS: Status.DEADLINE_EXCEEDED,
  DEADLINE: Status.DEADLINE_EXCEEDED,
  ABORTED: Status.CANCELLED,
  CLOSED: Status.UNAVAILABLE,
  PICK_USED: Status.FAILED_PRECONDITION,
  INVALID_OPTION: Status.INVALID_ARGUMENT,
  INVALID_METADATA: Status.INTERNAL,
  INVALID_ADDRESS: Status.INVALID_ARGUMENT,
  UNKNOWN_PICKER: Status.INVALID_ARGUMENT,
  PICKER_FAILED: Status.INTERNAL,
  REGISTRY_UNAVAILABLE: Status.UNAVAILABLE,
  KEY_TAKEN: Status.ALREADY_EXISTS,
  LEASE_LOST: Status.UNAVAILABLE,
  CONNECT_FAILED: Status.UNAVAILABLE,
  LISTEN_FAILED: Status.UNAVAILABLE,
  INTERNAL: Status.INTERNAL,
};

/** The one class of error that evenkeel itself makes. What a server answers stays a gRPC status. */
export class BalancerError extends Error {
  override readonly name = 'BalancerError';
  readonly code: BalancerErrorCode;
  /** The gRPC status code that a call fails with for this reason. */
  readonly status: number;

  constructor(code: BalancerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.status = STATUS_OF[code];
  }
}

/** Whatever was thrown, as an `Error`. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Whatever was thrown, as a `BalancerError`: what is none already is a mistake, and INTERNAL. */
export function asBalancerError(thrown: unknown): BalancerError {
  if (thrown instanceof BalancerError) return thrown;
  const cause = asError(thrown);
  return new BalancerError('INTERNAL', cause.message, { cause });
}
