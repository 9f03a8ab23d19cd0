import { readFileSync } from 'node:fs';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GreeterService } from '../../../generated/helloworld.js';
import type { PoolOptions } from '../../../src/balancer/pool/options.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { http2Transport } from '../../../src/balancer/transport/http2/index.js';
import { staticRegistry } from '../../../src/registry/static.js';

const tls = (name: string) => readFileSync(`test/fixtures/tls/${name}.pem`);

/** Replies with the `:authority` of each call, and shows a certificate for `elsewhere.example`. */
async function server(): Promise<number> {
  const server = new Server();
  server.addService(GreeterService, {
    sayHello(call: { getHost(): string }, callback: (error: null, reply: { message: string }) => void) {
      callback(null, { message: call.getHost() });
    },
  });
  const identity = { cert_chain: tls('misnamed'), private_key: tls('misnamed-key') };
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createSsl(null, [identity]), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return port;
}

const transports = {
  'grpc-js': () => ({ credentials: credentials.createSsl(tls('ca')) }),
  http2: () => ({ transport: http2Transport({ tls: { ca: tls('ca') } }) }),
};

function greeter(port: number, authority: string, options: Partial<PoolOptions>) {
  const pool = new Pool({
    registry: staticRegistry([{ address: `127.0.0.1:${port}`, metadata: { authority } }]),
    service: 'greeter',
    ...options,
  });
  onTestFinished(() => pool.close());
  return pool;
}

describe.each(Object.entries(transports))('an endpoint that has a name, over %s', (kind, options) => {
  it('is dialled by its address, and called by its name, in TLS too', async () => {
    const pool = greeter(await server(), 'elsewhere.example:443', options());
    const { message } = await pool.stub(GreeterService).sayHello({ name: '' });
    expect(message).toBe('elsewhere.example:443');
  });

  it('is refused when its certificate is for another name', async () => {
    const pool = greeter(await server(), 'localhost:443', { connectTimeoutMs: 60_000, ...options() });
    let cause = '';
    for await (const event of pool.events()) {
      if (event.kind !== 'subchannel' || event.state.kind !== 'failed') continue;
      cause = event.state.cause.message;
      break;
    }
    expect(cause).toMatch(/localhost.*elsewhere\.example/);
  });

  it.runIf(kind === 'grpc-js')('can be overruled by channel options', async () => {
    const channelOptions = { 'grpc.ssl_target_name_override': 'elsewhere.example' };
    const pool = greeter(await server(), 'localhost:443', { channelOptions, ...options() });
    const { message } = await pool.stub(GreeterService).sayHello({ name: '' });
    expect(message).toBe('localhost:443');
  });
});
