// A stub's calls by the evenkeel of another tree, in a process of its own: as many as it is told to make.
import { pathToFileURL } from 'node:url';
import type * as echo from '../../generated/evenkeel/echo/v1/echo.js';
import type * as evenkeel from '../../src/index.js';
import { burst, type Order } from './measure.js';

const [tree, given] = process.argv.slice(2) as [string, string];
const addresses = JSON.parse(given) as string[];
const at = (path: string) => pathToFileURL(`${tree}/dist/${path}`).href;
const { Pool, staticRegistry } = (await import(at('src/index.js'))) as typeof evenkeel;
const { EchoService } = (await import(at('generated/evenkeel/echo/v1/echo.js'))) as typeof echo;

// Listened for from the beginning: a pool that connects keeps no process alive.
process.once('disconnect', () => process.exit());

const pool = new Pool({ registry: staticRegistry(addresses), service: 'bench' });
const stub = pool.stub(EchoService);
for await (const _ of pool.events()) if (pool.snapshot().ready === addresses.length) break;

process.on('message', async ({ calls, concurrency }: Order) => {
  process.send?.(await burst((request) => stub.unary(request), calls, concurrency));
});
process.send?.('open');
