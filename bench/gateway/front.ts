// One of the two HTTP servers that are compared, in a process of its own: it listens, and tells its CPU time when asked.
import type { AddressInfo } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import { type FastifyInstance, fastify } from 'fastify';
import { GreeterClient, type HelloReply } from '../../generated/helloworld.js';
import { gatewayServer, readDescriptors } from '../../src/gateway/index.js';
import { Pool, staticRegistry } from '../../src/index.js';
import { image } from '../../test/support/image.js';

const [kind, backend] = process.argv.slice(2) as ['bare' | 'gateway', string];

/** What one would write by hand: a route, a client, and the fields by name. */
async function bare(): Promise<FastifyInstance> {
  const client = new GreeterClient(backend, credentials.createInsecure());
  const app = fastify();
  app.post<{ Body: { name: string } }>('/hello', async ({ body }) => {
    const reply = await new Promise<HelloReply>((resolve, reject) => {
      client.sayHello({ name: body.name }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
    return { message: reply.message };
  });
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 10_000, (error) => (error === undefined ? resolve() : reject(error)));
  });
  return app;
}

/** The gateway with all that it has by default. */
async function gateway(): Promise<FastifyInstance> {
  const pool = new Pool({ registry: staticRegistry([backend]), service: 'hello_service' });
  const services = [{ pool, descriptors: readDescriptors(image('project')) }];
  const app = await gatewayServer({ services });
  await pool.ready({ timeoutMs: 10_000 });
  return app;
}

const app = kind === 'bare' ? await bare() : await gateway();
await app.listen({ host: '127.0.0.1', port: 0 });
process.on('message', () => process.send?.(process.cpuUsage()));
process.once('disconnect', () => process.exit());
process.send?.((app.server.address() as AddressInfo).port);
