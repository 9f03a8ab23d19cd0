import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Clock, systemClock } from '../base/clock.js';
import { Status } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { numberOption } from '../base/options.js';
import { RETRY_AFTER, RequestError } from './base/request-error.js';
import { answer, answerFailure } from './http/answer.js';
import { discardRest, readBody, textOf } from './http/body.js';
import { assertJsonType } from './http/content-type.js';
import { allowOrigins } from './http/cors.js';
import type { Exchange } from './http/exchange.js';
import { HEALTH_PATHS, serveHealth } from './http/health.js';
import { OpenRequests } from './http/open-requests.js';
import { type GatewayService, type Route, routesOf } from './http/routes.js';
import { exchangeOf } from './http/target.js';
import type { JsonOptions } from './json/options.js';
import { DOCS_PATHS, serveDocs } from './openapi/docs.js';
import { type OpenApiInfo, openApiOf, titleOf } from './openapi/document.js';
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
  /** Most requests that are open at once; past it 429. Default 10,000. Of one connection, 100 at most. */
  readonly maxOpenRequests?: number;
  /**
   * How long a client may send nothing of a stream of requests, while no answer goes to it either, or read nothing of an answer,
   * before it loses its place: 408, or the end of its connection. In milliseconds. Default 60,000.
   */
  readonly idleTimeoutMs?: number;
  /**
   * Refuses bodies that are not said to be JSON with 415: set it where browsers come with credentials of their own (cookies, client
   * certificates, a place in the network), since a page of any origin can post a form or a text without being asked. Default
   * false: a body is read as JSON, whatever its Content-Type.
   */
  readonly jsonOnly?: boolean;
  /** Serves all that can be served, and says in a line of the log what cannot, and why. Default false: it is an error. */
  readonly skipUnservable?: boolean;
  /** Lets pages of other origins call: of any with `true`, or as @fastify/cors's options say. Default false. */
  readonly cors?: boolean | FastifyCorsOptions;
  /**
   * Serves `/openapi.json`, and `/docs`, from which calls can be tried; what the document says of itself. Default true: the
   * title is the names of the services, or how many there are, the version 1.
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
/** Most that a connection may have open: HTTP/1.1 answers them one behind the other. */
const MAX_OPEN_PER_CONNECTION = 100;
const IDLE_TIMEOUT_MS = 60_000;

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
  const idleTimeoutMs = numberOption('idleTimeoutMs', options.idleTimeoutMs ?? IDLE_TIMEOUT_MS, { min: 1 });
  const { jsonOnly = false, skipUnservable = false } = options;
  const skip = skipUnservable ? (reason: string) => logger.warn(`not served: ${reason}`) : undefined;
  const own = [...(health ? HEALTH_PATHS : []), ...(docs === false ? [] : DOCS_PATHS)];
  const limits = { maxBytes, timeoutMs };
  const handlerOptions = { limits, timeoutMs, logger };

  fastify.setErrorHandler((error, request: GatewayRequest, reply) =>
    answerFailure(request[EXCHANGE], reply, error, logger),
  );
  if (cors !== false) await allowOrigins(fastify, cors);
  // Preflight requests have a route of their own where origins are let in, by this plugin or around it.
  const preflight = fastify.hasRoute({ method: 'OPTIONS', url: `${fastify.prefix}/*` });
  const { routes, router } = routesOf(services, { all, json, own, preflight, skip });
  if (health) serveHealth(fastify, new Set(services.map(({ pool }) => pool)), options.closing);
  if (docs !== false) {
    const bindings = routes.map(({ binding }) => binding);
    const names = new Set(bindings.map(({ method }) => method.parent.typeName));
    const info = { title: titleOf(names), version: '1', ...(docs === true ? {} : docs) };
    await serveDocs(fastify, openApiOf(bindings, json, info, fastify.prefix));
  }

  // A body is what a method makes of it, whatever its Content-Type: `curl -d` says that it is a form.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (request: GatewayRequest, payload, done) => {
    const { binding, requests } = request[EXCHANGE]!.route;
    // A stream of messages is read as they are sent on.
    if (binding.method.proto.clientStreaming) done(null, '');
    else if (requests.raw) readBody(payload, limits, clock).then((bytes) => done(null, bytes), done);
    else
      readBody(payload, limits, clock)
        .then(textOf)
        .then((text) => done(null, text), done);
  });
  for (const method of customMethods(routes, fastify.supportedMethods)) {
    fastify.addHttpMethod(method, { hasBody: true });
  }
  const open = new OpenRequests();
  let closing = false;
  // A connection that has been kept alive would be waited for until its client lets go of it.
  fastify.addHook('preClose', async () => {
    closing = true;
    open.closeConnections();
  });
  fastify.route({
    method: fastify.supportedMethods.filter((method) => method !== 'OPTIONS' || !preflight),
    url: '/*',
    onRequest(request: GatewayRequest, reply, done) {
      const socket = request.raw.httpVersionMajor === 1 ? request.raw.socket : undefined;
      if (open.size >= maxOpen || open.on(socket) >= MAX_OPEN_PER_CONNECTION) {
        const message = 'too many requests are open';
        throw new RequestError(429, Status.RESOURCE_EXHAUSTED, message, RETRY_AFTER);
      }
      open.add(socket, reply.raw, () => {
        request[EXCHANGE]?.closed();
        if (closing) socket?.end();
        else if (!request.raw.complete) discardRest(request.raw, clock);
      });
      const exchange = exchangeOf(router, fastify.prefix, request.raw, reply.raw, clock, idleTimeoutMs);
      if (jsonOnly) assertJsonType(request.raw, exchange.route.requests.raw);
      request[EXCHANGE] = exchange;
      done();
    },
    handler: (request: GatewayRequest, reply) =>
      answer(request[EXCHANGE]!, reply, (request.body as string | Buffer | undefined) ?? '', handlerOptions),
  });
}

const AT_LEAST_ONE = { min: 1, integer: true };

/** HTTP methods of rules with a `custom` pattern that Fastify does not know by itself. */
function customMethods(routes: readonly Route[], known: readonly string[]): ReadonlySet<string> {
  const all = routes.map(({ binding }) => binding.httpMethod);
  return new Set(all.filter((method) => method !== ANY_METHOD && !known.includes(method)));
}
