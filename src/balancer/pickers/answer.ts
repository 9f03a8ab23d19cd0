import { Status } from '../../base/errors.js';
import type { Outcome } from './picker.js';

/**
 * What the end of a call says of the server that had it. The one definition for whoever judges servers: meters, and the
 * outlier detector.
 *
 * - `well`: it answered as it should.
 * - `failure`: the codes of a server that is unwell, misdeployed or overloaded, and of the proxy before it. A number that is no
 *   code of gRPC's is one of them.
 * - `refusal`: codes that are the request's own fault, as a rule: they tell of the server only where the others answer
 *   otherwise.
 * - `late`: the deadline passed. Whether the server or the deadline is to blame, the latency tells.
 * - `nothing`: the caller gave up, or this process failed by itself.
 */
export type Answer = 'well' | 'failure' | 'refusal' | 'late' | 'nothing';

/** @see {@link Answer} */
export function answerOf({ code, blameless }: Outcome): Answer {
  if (blameless ?? code === Status.CANCELLED) return 'nothing';
  switch (code) {
    case Status.OK:
      return 'well';
    case Status.DEADLINE_EXCEEDED:
      return 'late';
    case Status.INVALID_ARGUMENT:
    case Status.NOT_FOUND:
    case Status.ALREADY_EXISTS:
    case Status.PERMISSION_DENIED:
    case Status.FAILED_PRECONDITION:
    case Status.ABORTED:
    case Status.OUT_OF_RANGE:
    case Status.UNAUTHENTICATED:
      return 'refusal';
    default:
      return 'failure';
  }
}
