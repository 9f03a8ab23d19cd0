import type { CallCredentials, Metadata } from '@grpc/grpc-js';
import { splitHostPort } from '../../../../base/endpoint.js';
import { asError, Status } from '../../../../base/errors.js';
import type { Verdict } from './status.js';

/** What a server may say of a call, and credentials may not (gRFC A54). */
const INAPPROPRIATE: ReadonlySet<number> = new Set([
  Status.OK,
  Status.INVALID_ARGUMENT,
  Status.NOT_FOUND,
  Status.ALREADY_EXISTS,
  Status.FAILED_PRECONDITION,
  Status.ABORTED,
  Status.OUT_OF_RANGE,
  Status.DATA_LOSS,
]);

/** Asks credentials for the metadata of a call, as grpc-js asks them; they may throw, and answer whenever they like. */
export function credentialsMetadata(
  credentials: CallCredentials,
  path: string,
  authority: string,
  done: (fault: Verdict | undefined, metadata: Metadata | undefined) => void,
): void {
  const service = path.slice(0, path.lastIndexOf('/'));
  // Without the port, as grpc-js says it.
  const host = splitHostPort(authority)?.host ?? authority;
  Promise.resolve()
    .then(() => credentials.generateMetadata({ method_name: path, service_url: `https://${host}${service}` }))
    .then(
      (metadata) => done(undefined, metadata),
      (thrown) => done(faultOf(thrown), undefined),
    );
}

function faultOf(thrown: unknown): Verdict {
  const { code } = (thrown ?? {}) as { code?: unknown };
  const status = typeof code === 'number' ? code : Status.UNKNOWN;
  const details = `Getting metadata from plugin failed with error: ${asError(thrown).message}`;
  if (!INAPPROPRIATE.has(status)) return { code: status, details };
  const name = Object.entries(Status).find(([, value]) => value === status)?.[0];
  return {
    code: Status.INTERNAL,
    details: `Invalid status from control plane: ${status} ${name} ${details}`,
  };
}
