import type { FastifyInstance, FastifyReply } from 'fastify';
import { BalancerError } from '../../base/errors.js';
import { boundReading } from '../base/bound-reading.js';
import { optional } from '../base/optional.js';
import { notFound } from '../base/request-error.js';
import type { OpenApi } from './document.js';

/** Where {@link serveDocs} answers, as path templates. */
export const DOCS_PATHS = ['/openapi.json', '/docs', '/docs/**'] as const;

/**
 * `/openapi.json`, and at `/docs` a page to read it and to try calls from: Swagger UI, served from its package.
 *
 * @throws {@link BalancerError} INVALID_OPTION when a package is missing, or @fastify/swagger is in use already.
 */
export async function serveDocs(fastify: FastifyInstance, document: OpenApi): Promise<void> {
  if (fastify.hasDecorator('swagger')) {
    throw new BalancerError(
      'INVALID_OPTION',
      'this Fastify has @fastify/swagger already, and serves one document: register the gateway with docs: false',
    );
  }
  // Bytes, which all who ask for it share: of thousands of services it has tens of megabytes.
  const bytes = Buffer.from(JSON.stringify(document));
  const send = (reply: FastifyReply) => {
    boundReading(reply.raw, bytes.length, UNREAD_MS, fastify.server.keepAliveTimeout);
    return reply
      .headers({ 'content-type': 'application/json', 'x-content-type-options': 'nosniff' })
      .send(bytes);
  };
  fastify.get('/openapi.json', async (_request, reply) => send(reply));
  const { default: swagger } = await optional(() => import('@fastify/swagger'), '@fastify/swagger');
  const { default: swaggerUi } = await optional(() => import('@fastify/swagger-ui'), '@fastify/swagger-ui');
  await fastify.register((page, _options, registered) => {
    page.addHook('onSend', (_request, reply, _payload, done) => {
      reply.headers(PAGE_HEADERS);
      done();
    });
    // Its types are of OpenAPI 2 and 3.0 documents; what it serves is the object as it is.
    page.register(swagger, { mode: 'static', specification: { document: document as never } });
    page.register(swaggerUi, {
      routePrefix: '/docs',
      uiHooks: {
        // It would make the text anew each time.
        onRequest(request, reply, done) {
          if (/\/docs\/json(?:$|\?)/.test(request.url)) send(reply);
          else if (/\/docs\/yaml(?:$|\?)/.test(request.url)) throw notFound();
          else done();
        },
      },
      // Nobody else is told of the document.
      uiConfig: { validatorUrl: null, tryItOutEnabled: true, displayRequestDuration: true },
    });
    registered();
  });
}

/** The page makes calls as whoever reads it: nothing is run in it but its own files, and it stands in nobody's frame. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};

/** How long a client may read nothing of the document, in milliseconds. */
const UNREAD_MS = 60_000;
