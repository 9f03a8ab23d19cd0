import { createServer, METHODS, type Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { systemClock } from '../base/clock.js';
import { silentLogger } from '../base/logger.js';
import { numberOption } from '../base/options.js';
import { optional } from './base/optional.js';
import { notFound } from './base/request-error.js';
import { answerFailure } from './http/answer.js';
import { answerRefusals, refuseHostless } from './http/refusals.js';
import { type GatewayOptions, gateway } from './plugin.js';

/** What {@link gatewayServer} takes beside what the plugin does. */
export interface GatewayServerOptions extends GatewayOptions {
  /** Most bytes of the target and the headers of a request together; past it 431. Default 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** How long the head of a request may take to come in, in milliseconds; past it 408. Default 10,000. */
  readonly headerTimeoutMs?: number;
  /** How long `close()` waits for the requests in flight, streams among them, before it cuts them, in milliseconds. Default 25,000. */
  readonly drainTimeoutMs?: number;
}

const MAX_HEADER_BYTES = 16 * 1024;
const HEADER_TIMEOUT_MS = 10_000;
/** How often Node looks for heads that are late, in milliseconds. */
const CHECK_MS = 1_000;
const DRAIN_TIMEOUT_MS = 25_000;
/** Longer than the 60 s after which most load balancers give up an idle connection; Fastify's default. */
const KEEP_ALIVE_MS = 72_000;

/**
 * A Fastify that is a gateway and nothing else: what Node's HTTP server or Fastify's router refuse is answered in the
 * gateway's way, too.
 *
 * @returns not listening yet: `listen()` starts it, `close()` ends it, once the requests in flight are answered.
 * @throws BalancerError INVALID_OPTION; see `routesOf`.
 */
export async function gatewayServer(options: GatewayServerOptions): Promise<FastifyInstance> {
  const { logger = silentLogger, clock = systemClock } = options;
  const maxHeaderSize = numberOption('maxHeaderBytes', options.maxHeaderBytes ?? MAX_HEADER_BYTES, {
    min: 1,
    integer: true,
  });
  const headerTimeoutMs = numberOption('headerTimeoutMs', options.headerTimeoutMs ?? HEADER_TIMEOUT_MS, {
    min: 1,
    integer: true,
  });
  const drainTimeoutMs = numberOption('drainTimeoutMs', options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS, {
    min: 0,
  });
  const servers: Server[] = [];
  const { fastify } = await optional(() => import('fastify'), 'fastify');
  const app = fastify({
    // One for each address of a host name, and Fastify would tell the first alone of its handlers.
    serverFactory(handler) {
      // A request without a Host is answered here, with a body. Bodies have a time of their own, and streams have none.
      const limits = {
        maxHeaderSize,
        requireHostHeader: false,
        requestTimeout: 0,
        headersTimeout: headerTimeoutMs,
        connectionsCheckingInterval: Math.min(CHECK_MS, headerTimeoutMs),
        keepAliveTimeout: KEEP_ALIVE_MS,
      };
      const server = createServer(limits, (request, response) => {
        if (request.httpVersion === '1.1' && request.headers.host === undefined) refuseHostless(response);
        else handler(request, response);
      });
      // Node would leave out what is past 2,000, and say nothing: what bounds them is their size.
      server.maxHeadersCount = 0;
      servers.push(server);
      answerRefusals(server, clock);
      return server;
    },
    clientErrorHandler: () => {},
    // Thousands of services take a while to be read, and there is nothing to be waited for in vain.
    pluginTimeout: 0,
    frameworkErrors: (error, _request, reply) => {
      answerFailure(undefined, reply, error, logger);
    },
    // Requests on connections that are open are answered while it closes, too.
    return503OnClosing: false,
  });
  app.setErrorHandler((error, _request, reply) => answerFailure(undefined, reply, error, logger));
  // A file that the page at /docs does not have, say.
  app.setNotFoundHandler((_request, reply) => answerFailure(undefined, reply, notFound(), logger));
  // What no rule has is for the gateway to say, not for a router that knows a few methods.
  for (const method of METHODS) {
    const known = method === 'CONNECT' || app.supportedMethods.includes(method);
    if (!known) app.addHttpMethod(method, { hasBody: true });
  }
  let cancel = () => {};
  app.addHook('preClose', async () => {
    cancel = clock.after(drainTimeoutMs, () => {
      for (const server of servers) server.closeAllConnections();
    });
  });
  app.addHook('onClose', async () => cancel());
  await app.register(gateway, options);
  return app;
}
