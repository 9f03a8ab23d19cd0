import type { IncomingMessage } from 'node:http';
import { Status } from '../../base/errors.js';
import { RequestError } from '../base/request-error.js';

const JSON_TYPE = /^\s*application\/(?:json|x-ndjson|[a-z0-9.-]+\+json)\s*(?:;|$)/i;

/** What a page of another origin may send without being asked first (fetch.spec.whatwg.org, CORS-safelisted request-header). */
const WITHOUT_PREFLIGHT =
  /^\s*(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(?:;|$)|^\s*$/i;

/**
 * Refuses a body that is not said to be JSON.
 *
 * @param raw - the body is taken as it is: of any type that a page of another origin cannot send without a preflight request.
 * @throws RequestError 415.
 */
export function assertJsonType({ headers }: IncomingMessage, raw: boolean): void {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!hasBody) return;
  const type = headers['content-type'] ?? '';
  if (JSON_TYPE.test(type) || (raw && !WITHOUT_PREFLIGHT.test(type))) return;
  throw new RequestError(
    415,
    Status.INVALID_ARGUMENT,
    `a body of type ${JSON.stringify(type)} is not taken: send it as application/json`,
  );
}
