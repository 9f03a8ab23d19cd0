// A program that closes nothing: it has to end by itself, in each of these ways. What it says last is "done".
import { credentials } from '@grpc/grpc-js';
import { fastify } from 'fastify';
import { pem } from '../../bench/soak/tls.js';
import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import type { PoolOptions } from '../../src/balancer/pool/options.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import { http2Transport } from '../../src/balancer/transport/http2/index.js';
import { gateway, readDescriptors } from '../../src/gateway/index.js';
import { EtcdRegistry } from '../../src/registry/etcd/registry.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import { staticRegistry } from '../../src/registry/static.js';
import { image } from '../support/image.js';

export interface EndsOptions {
  readonly way: Way;
  /** Of a server; of one that is yet to come, with `waiting`. */
  readonly address: string;
  readonly etcd: string;
  /** The same over TLS. */
  readonly secureAddress: string;
  readonly secureEtcd: string;
}

const { way, address, etcd, secureAddress, secureEtcd } = JSON.parse(process.argv[2] ?? '') as EndsOptions;
const SERVICE = 'ends';
const REQUEST = { payload: Buffer.from('x'), delayMs: 0, code: 0, details: '', count: 0 };

function open(options: Partial<PoolOptions> = {}): Pool {
  return new Pool({ registry: staticRegistry([address]), service: SERVICE, ...options });
}

async function call(pool: Pool): Promise<void> {
  await pool.stub(EchoService).unary(REQUEST);
}

const WAYS = {
  'after a call': () => call(open()),
  'before any call': async () => void open(),
  'ready, before any call': () => open().ready(),
  'while its server is not there': async () => void open({ registry: staticRegistry(['127.0.0.1:9']) }),
  'over http2': () => call(open({ transport: http2Transport() })),
  'over http2, before any call': async () => void open({ transport: http2Transport() }),
  'over http2, while its server is not there': async () =>
    void open({ registry: staticRegistry(['127.0.0.1:9']), transport: http2Transport() }),
  'health watched': () => call(open({ healthCheck: true })),
  'health watched, over http2': () => call(open({ transport: http2Transport(), healthCheck: true })),
  'several connections': () => call(open({ connectionsPerAddress: 3 })),
  'watching etcd': () => call(open({ registry: new EtcdRegistry({ hosts: etcd }) })),
  'watching etcd over TLS': async () => {
    const registry = new EtcdRegistry({ hosts: secureEtcd, tls: { ca: pem('ca') } });
    const pool = open({ registry });
    const hold = setTimeout(() => {}, 2 ** 30);
    for await (const event of pool.events()) {
      if (event.kind === 'registry' && event.state.kind === 'current') break;
    }
    clearTimeout(hold);
  },
  'health watched over TLS': () =>
    call(
      open({
        registry: staticRegistry([secureAddress]),
        credentials: credentials.createSsl(pem('ca')),
        healthCheck: true,
      }),
    ),
  'while etcd is not there': async () =>
    void open({ registry: new EtcdRegistry({ hosts: 'http://127.0.0.1:9' }) }),
  'registered in memory': async () => {
    const registry = new MemoryRegistry();
    registry.register(SERVICE, { address });
    await call(open({ registry }));
  },
  'a call that waits without a deadline': async () => {
    const called = call(open());
    console.log('waiting');
    await called;
  },
  'a gateway that was closed': async () => {
    const pool = open({ registry: new EtcdRegistry({ hosts: etcd }) });
    const app = fastify();
    await app.register(gateway, {
      services: [{ pool, descriptors: readDescriptors(image('project')) }],
      all: true,
    });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const answer = await fetch(`${url}/evenkeel.echo.v1.Echo/Unary`, { method: 'POST', body: '{}' });
    if (!answer.ok) throw new Error(await answer.text());
    await app.close();
  },
  'kept alive, until it is closed': async () => {
    const pool = open({ keepAlive: true });
    await call(pool);
    // It does not keep the process itself: without the pool nobody would come to hear of it.
    setTimeout(() => {
      console.log('still there');
      void pool.close();
    }, 200).unref();
  },
} satisfies Record<string, () => Promise<void>>;

export type Way = keyof typeof WAYS;

await WAYS[way]();
console.log('done');
