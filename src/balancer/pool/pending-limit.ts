import type { Endpoint } from '../../base/endpoint.js';
import { asError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { numberOption } from '../../base/options.js';

/**
 * How many calls may be pending on an endpoint, as an option that is a number or a function says it. What a function
 * fails to say is no limit, with a warning: a mistake there must not stop the table from following the registry.
 *
 * @throws {@link BalancerError} INVALID_OPTION for a number that is no limit.
 */
export function pendingLimit(
  option: number | ((endpoint: Endpoint) => number),
  logger: Logger,
): (endpoint: Endpoint) => number {
  if (typeof option !== 'function') {
    const limit = checked(option);
    return () => limit;
  }
  return (endpoint) => {
    try {
      return checked(option(endpoint));
    } catch (thrown) {
      logger.warn(`${endpoint.address} has no limit of pending calls: ${asError(thrown).message}`);
      return Number.POSITIVE_INFINITY;
    }
  };
}

function checked(limit: number): number {
  if (limit === Number.POSITIVE_INFINITY) return limit;
  return numberOption('maxPendingPerEndpoint', limit, { min: 1, integer: true });
}
