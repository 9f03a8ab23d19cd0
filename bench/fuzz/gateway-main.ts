// The gateway of the fuzz, in a process of its own: small limits, so that they are met.
import type { AddressInfo } from 'node:net';
import { Pool } from '../../src/balancer/pool/pool.js';
import { asError } from '../../src/base/errors.js';
import { gatewayServer, readDescriptors } from '../../src/gateway/index.js';
import { staticRegistry } from '../../src/registry/static.js';
import { image } from '../../test/support/image.js';
import { gc, heapUsed } from '../support/heap.js';
import type { GatewayReady, GatewayReport } from './gateway-protocol.js';

/** Far below what is waited for, far above what an innocent call takes. */
const LIMIT_MS = 3_000;
const MAX_BODY_BYTES = 256 * 1024;
/** Of each kind; of more, the first are enough. */
const MAX_LINES = 100;

const unhandled: string[] = [];
const unexpected: string[] = [];
const lost: string[] = [];
const note = (lines: string[], line: string) => {
  if (lines.length < MAX_LINES) lines.push(line);
};
const hear = (error: unknown) => note(unhandled, asError(error).stack ?? String(error));
process.on('unhandledRejection', hear).on('uncaughtException', hear);

const addresses = process.argv.slice(2);
const pool = new Pool({ registry: staticRegistry(addresses), service: 'fuzz' });
const app = await gatewayServer({
  services: [image('tests'), image('odd')].map((bytes) => ({ pool, descriptors: readDescriptors(bytes) })),
  all: true,
  cors: true,
  timeoutMs: LIMIT_MS,
  idleTimeoutMs: LIMIT_MS,
  headerTimeoutMs: LIMIT_MS,
  maxBodyBytes: MAX_BODY_BYTES,
  logger: { info() {}, warn: (line) => note(unexpected, line) },
});
await app.listen({ host: '127.0.0.1', port: 0 });
while (pool.snapshot().ready < addresses.length) await new Promise((resolve) => setTimeout(resolve, 10));
void (async () => {
  for await (const event of pool.events()) {
    if (event.kind === 'ejected')
      note(lost, `${event.address} was taken out: ${JSON.stringify(event.reason)}`);
    else if (event.kind === 'subchannel') note(lost, `${event.address} is ${event.state.kind}`);
  }
})();

process.once('disconnect', () => process.exit());
process.on('message', async () => {
  await gc();
  app.server.getConnections((_error, connections) =>
    process.send?.({ heap: heapUsed(), connections, unhandled, unexpected, lost } satisfies GatewayReport),
  );
});
process.send?.({ port: (app.server.address() as AddressInfo).port } satisfies GatewayReady);
