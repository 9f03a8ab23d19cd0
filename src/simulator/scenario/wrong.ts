import { BalancerError } from '../../base/errors.js';

/** An error that names the field. */
export function wrong(field: string, what: string): BalancerError {
  return new BalancerError('INVALID_OPTION', `${field} ${what}`);
}
