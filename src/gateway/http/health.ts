import type { FastifyInstance } from 'fastify';
import type { Pool } from '../../balancer/pool/pool.js';

/** Where {@link serveHealth} answers. */
export const HEALTH_PATHS = ['/healthz', '/readyz'] as const;

/**
 * `/healthz`: the process answers. `/readyz`: something behind it is READY, and it is not about to close. A service without
 * any server does not take the gateway from the others: what is READY of each is in the body.
 */
export function serveHealth(
  fastify: FastifyInstance,
  pools: ReadonlySet<Pool>,
  closing: AbortSignal | undefined,
): void {
  const [healthz, readyz] = HEALTH_PATHS;
  fastify.get(healthz, async (_request, reply) => reply.headers(NO_STORE).send({ status: 'ok' }));
  fastify.get(readyz, async (_request, reply) => {
    const snapshots = [...pools].map((pool) => pool.snapshot());
    const ready = closing?.aborted !== true && snapshots.some((snapshot) => snapshot.ready > 0);
    const services = Object.fromEntries(snapshots.map((each) => [each.service, { ready: each.ready }]));
    const status = closing?.aborted === true ? 'closing' : ready ? 'ready' : 'not ready';
    return reply
      .code(ready ? 200 : 503)
      .headers(NO_STORE)
      .send({ status, services });
  });
}

const NO_STORE = { 'cache-control': 'no-store' };
