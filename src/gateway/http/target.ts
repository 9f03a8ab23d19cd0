import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import { badRequest, notFound, RequestError } from '../base/request-error.js';
import type { Found, Router } from '../rules/router.js';
import { Exchange } from './exchange.js';
import type { OwnPath, Route } from './routes.js';

/**
 * The exchange of a request with the route that it is for.
 *
 * @throws RequestError 400, 404, 405.
 */
export function exchangeOf(
  router: Router<Route | OwnPath>,
  prefix: string,
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  idleTimeoutMs: number,
): Exchange {
  const { path, query } = targetOf(request.url!);
  let found: Found<Route | OwnPath>;
  try {
    found = router.find(request.method!, path.slice(prefix.length));
  } catch {
    throw badRequest('the path is no percent-encoded UTF-8');
  }
  if (found.kind === 'method') {
    throw new RequestError(405, Status.UNIMPLEMENTED, 'Method Not Allowed', {
      allow: found.allow.join(', '),
    });
  }
  // The gateway's own paths have routes of their own, which come first.
  if (found.kind === 'none' || typeof found.target === 'string') {
    throw notFound();
  }
  return new Exchange(found.target, found.segments, query, request, response, clock, idleTimeoutMs);
}

/** Path and query of a request's target, which may be a whole URL (RFC 9112, 3.2.2). */
function targetOf(url: string): { readonly path: string; readonly query: string } {
  const target = url.startsWith('/') ? url : url.replace(/^[^/]*\/\/[^/?#]*/, '');
  const hash = target.indexOf('#');
  const whole = hash < 0 ? target : target.slice(0, hash);
  const mark = whole.indexOf('?');
  return mark < 0
    ? { path: whole || '/', query: '' }
    : { path: whole.slice(0, mark) || '/', query: whole.slice(mark + 1) };
}
