import type { ServerResponse } from 'node:http';
import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Clock, systemClock } from '../base/clock.js';
import { BalancerError, Status } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { numberOption } from '../base/options.js';
import { RETRY_AFTER, RequestError } from './base/request-error.js';
import { answer, answerFailure } from './http/answer.js';
import { discardRest, readText } from './http/body.js';
import { allowOrigins } from './http/cors.js';
import type { Exchange } from './http/exchange.js';
import { HEALTH_PATHS, serveHealth } from './http/health.js';
import { type GatewayService, type Route, routesOf } from './http/routes.js';
import { exchangeOf } from './http/target.js';
import type { JsonOptions } from './json/options.js';
import { DOCS_PATHS, serveDocs } from './openapi/docs.js';
import { type OpenApiInfo, openApiOf } from './openapi/document.js';
import { describeBinding } from './rules/http-rule.js';
import { ANY_METHOD } from './rules/router.js';

/** What a gateway serves, and how. */
export interface GatewayOptions {
  readonly services: readonly GatewayService[];
  /** Serves methods without a `google.api.http` rule at `POST /package.Service/Method`. Default false. */
  readonly all?: boolean;
  readonly json?: JsonOptions;
  /**
   * The deadline of a call whose client gives none by `Grpc-Timeout`, in milliseconds; for one with streams, how long it
   * waits for a server that is READY. Default 30,000.
   */
  readonly timeoutMs?: number;
  /** Most bytes of a request body, or of a line of one that is a stream; past it 413. Default 4 MiB, as gRPC servers have it. */
  readonly maxBodyBytes?: number;
  /** Most requests that are open at once; past it 429. Default 10,000. */
  readonly maxOpenRequests?: number;
  /** Lets pages of other origins call: of any with `true`, or as @fastify/cors's options say. Default false. */
  readonly cors?: boolean | FastifyCorsOptions;
  /**
   * Serves `/openapi.json`, and `/docs`, from which calls can be tried; what the document says of itself. Default true: the
   * title is the names of the services, the version 1.
   */
  readonly docs?: boolean | Partial<OpenApiInfo>;
  /** Serves `/healthz` and `/readyz`. Default true. */
  readonly health?: boolean;
  /** Aborted some time before the gateway closes: `/readyz` says so from then on, and all else goes on. */
  readonly closing?: AbortSignal;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
}

const TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 4 * 1024 * 1024;
const MAX_OPEN_REQUESTS = 10_000;

const EXCHANGE = Symbol('exchange');
type GatewayRequest = FastifyRequest & { [EXCHANGE]?: Exchange };

/**
 * REST in, balanced gRPC out: a Fastify plugin that serves gRPC services by their `google.api.http` rules.
 *
 * All its routes stand behind one that takes every path: Fastify's own router has no templates such as `/v1/{name=**}:verb`.
 *
 * @throws BalancerError INVALID_OPTION; see {@link routesOf}.
 */
export async function gateway(fastify: FastifyInstance, options: GatewayOptions): Promise<void> {
  const { services, all = false, json = {}, cors = false, docs = true, health = true } = options;
  const { logger = silentLogger, clock = systemClock } = options;
  const timeoutMs = numberOption('timeoutMs', options.timeoutMs ?? TIMEOUT_MS, { min: 1 });
  const maxBytes = numberOption('maxBodyBytes', options.maxBodyBytes ?? MAX_BODY_BYTES, AT_LEAST_ONE);
  const maxOpen = numberOption('maxOpenRequests', options.maxOpenRequests ?? MAX_OPEN_REQUESTS, AT_LEAST_ONE);
  const own = [...(health ? HEALTH_PATHS : []), ...(docs === false ? [] : DOCS_PATHS)];
  const { routes, router } = routesOf(services, { all, json, own });
  const limits = { maxBytes, timeoutMs };
  const handlerOptions = { limits, timeoutMs, logger };

  fastify.setErrorHandler((error, request: GatewayRequest, reply) =>
    answerFailure(request[EXCHANGE], reply, error, logger),
  );
  if (cors !== false) await allowOrigins(fastify, cors);
  if (health) serveHealth(fastify, new Set(services.map(({ pool }) => pool)), options.closing);
  if (docs !== false) {
    const bindings = routes.map(({ binding }) => binding);
    const names = new Set(bindings.map(({ method }) => method.parent.typeName));
    const info = { title: [...names].join(', '), version: '1', ...(docs === true ? {} : docs) };
    await serveDocs(fastify, openApiOf(bindings, json, info, fastify.prefix));
  }

  // A body is what a method makes of it, whatever its Content-Type: `curl -d` says that it is a form.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (request: GatewayRequest, payload, done) => {
    // A stream of messages is read as they are sent on.
    if (request[EXCHANGE]!.route.binding.method.proto.clientStreaming) done(null, '');
    else readText(payload, limits, clock).then((text) => done(null, text), done);
  });
  // Preflight requests have a route of their own where origins are let in, by this plugin or around it.
  const preflight = fastify.hasRoute({ method: 'OPTIONS', url: `${fastify.prefix}/*` });
  const unreachable = routes.find(({ binding }) => preflight && binding.httpMethod === 'OPTIONS');
  if (unreachable !== undefined) {
    throw new BalancerError(
      'INVALID_OPTION',
      `${describeBinding(unreachable.binding)} cannot be reached: with CORS, OPTIONS is for preflight requests`,
    );
  }
  for (const method of customMethods(routes, fastify.supportedMethods)) {
    fastify.addHttpMethod(method, { hasBody: true });
  }
  const open = new Set<ServerResponse>();
  let closing = false;
  // A connection that has been kept alive would be waited for until its client lets go of it.
  fastify.addHook('preClose', async () => {
    closing = true;
    for (const response of open) if (!response.headersSent) response.setHeader('connection', 'close');
  });
  fastify.route({
    method: fastify.supportedMethods.filter((method) => method !== 'OPTIONS' || !preflight),
    url: '/*',
    onRequest(request: GatewayRequest, reply, done) {
      if (open.size >= maxOpen) {
        const message = 'too many requests are open';
        throw new RequestError(429, Status.RESOURCE_EXHAUSTED, message, RETRY_AFTER);
      }
      open.add(reply.raw);
      reply.raw.once('close', () => {
        open.delete(reply.raw);
        request[EXCHANGE]?.closed();
        if (closing) request.raw.socket.end();
        else if (!request.raw.complete) discardRest(request.raw, clock);
      });
      request[EXCHANGE] = exchangeOf(router, fastify.prefix, request.raw, reply.raw, clock);
      done();
    },
    handler: (request: GatewayRequest, reply) =>
      answer(request[EXCHANGE]!, reply, (request.body as string | undefined) ?? '', handlerOptions),
  });
}

const AT_LEAST_ONE = { min: 1, integer: true };

/** HTTP methods of rules with a `custom` pattern that Fastify does not know by itself. */
function customMethods(routes: readonly Route[], known: readonly string[]): ReadonlySet<string> {
  const all = routes.map(({ binding }) => binding.httpMethod);
  return new Set(all.filter((method) => method !== ANY_METHOD && !known.includes(method)));
}
