import type { Metadata, ServiceError } from '@grpc/grpc-js';
import { Status } from '../../base/errors.js';
import type { CallStatus } from './call-host.js';

const NAMES = Object.fromEntries(Object.entries(Status).map(([name, code]) => [code, name]));

/**
 * A call through a stub that failed: grpc-js's `ServiceError`, and where it went. When the pool itself refused the
 * call (`QUEUE_FULL`, `CLOSED`, ...), `cause` is the {@link BalancerError}; when its signal aborted, the reason.
 *
 * Its stack is the caller's: it is made in the awaited function, when the call has failed, so that a call that
 * succeeds pays nothing for it.
 */
export class CallError extends Error implements ServiceError {
  override readonly name = 'CallError';
  /** The gRPC status code. */
  readonly code: number;
  readonly details: string;
  /** The trailing metadata. */
  readonly metadata: Metadata;
  /** The full method name, `/package.Service/Method`. */
  readonly path: string;
  /** The address of the server that had the call last; undefined when none had it. */
  readonly address: string | undefined;

  constructor(
    { code, details, metadata }: CallStatus,
    path: string,
    address: string | undefined,
    cause?: unknown,
  ) {
    const where = address === undefined ? path : `${path} on ${address}`;
    super(
      `${code} ${NAMES[code] ?? 'UNKNOWN_CODE'}: ${details} (${where})`,
      cause === undefined ? {} : { cause },
    );
    this.code = code;
    this.details = details;
    this.metadata = metadata;
    this.path = path;
    this.address = address;
  }
}
