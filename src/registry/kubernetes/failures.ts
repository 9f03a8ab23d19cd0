import { BalancerError } from '../../base/errors.js';

/** Longer than this, what an API server says helps nobody. */
const MAX_SAID = 300;

/** An answer that is not what was asked for. */
export interface Refusal {
  readonly status: number;
  /** The message of its Status object. */
  readonly said: string;
  /** What it answers to: a namespace, for the cure. */
  readonly namespace: string;
  readonly verb: 'list' | 'watch';
}

/** What a refusal means, and what is to be done about it. */
export function refused({ status, said, namespace, verb }: Refusal): Error {
  const words = said === '' ? '' : `: ${said.slice(0, MAX_SAID)}`;
  switch (status) {
    case 401:
      return unavailable(
        `the API server does not know us (401)${words}; the token has expired or is of another cluster`,
      );
    case 403:
      return unavailable(
        `we may not ${verb} EndpointSlices in namespace ${namespace} (403)${words}; bind a Role with apiGroups ` +
          '["discovery.k8s.io"], resources ["endpointslices"], verbs ["list", "watch"] to this ServiceAccount',
      );
    case 404:
      return unavailable(
        `the API server has no discovery.k8s.io/v1 (404)${words}; Kubernetes 1.21 or newer has`,
      );
    case 410:
      return unavailable(`the API server has forgotten the revision that we are at (410)${words}`);
    default:
      return unavailable(`the API server answered ${status}${words}`);
  }
}

/** The message of a Status object, or the beginning of what is none. */
export function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Not JSON: some proxy's page.
  }
  return body.replace(/\s+/g, ' ').slice(0, MAX_SAID);
}

export function unavailable(message: string, cause?: unknown): BalancerError {
  return new BalancerError('REGISTRY_UNAVAILABLE', `Kubernetes: ${message}`, { cause });
}
