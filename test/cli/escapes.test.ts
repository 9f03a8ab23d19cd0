// Whatever comes from outside is printed as one line that no terminal acts on.
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GreeterServer, GreeterService } from '../../generated/helloworld.js';
import { EtcdRegistrar } from '../../src/registry/etcd/registrar.js';
import { type EtcdProcess, startEtcd } from '../support/etcd.js';
import { Program } from './program.js';

const EVIL = '\u001b[2J\u001b]0;owned\u0007\r\nevenkeel: all is well\u202e';
const SHOWN = '\\x1b[2J\\x1b]0;owned\\x07\\r\\nevenkeel: all is well\\u202e';

function run(...args: string[]): Program {
  const program = new Program(...args);
  onTestFinished(async () => void (await program.kill()));
  return program;
}

async function etcd(): Promise<EtcdProcess> {
  const started = await startEtcd();
  onTestFinished(() => started.close());
  return started;
}

/** A server that answers with what a terminal would act on, and fails with it, by turns. */
async function evilServer(): Promise<string> {
  let calls = 0;
  const greeter: GreeterServer = {
    sayHello: (_, callback) => {
      if (++calls % 2 === 1) callback(null, { message: `Hello ${EVIL}` });
      else callback({ code: status.INTERNAL, details: `No ${EVIL}` });
    },
  };
  const server = new Server();
  server.addService(GreeterService, greeter);
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

/** A key under which there is no endpoint. */
async function put({ url }: EtcdProcess, key: string, value: string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  await fetch(`${url}/v3/kv/put`, {
    method: 'POST',
    body: JSON.stringify({ key: base64(key), value: base64(value) }),
  });
}

describe('evenkeel client', () => {
  it('prints replies, errors, keys and values of the registry as one line each', async () => {
    const registry = await etcd();
    await put(registry, `/etcdv3_resolver/hello_service/${EVIL}`, `not an address ${EVIL}`);
    const registrar = new EtcdRegistrar({ hosts: registry.url });
    onTestFinished(() => registrar.close());
    await registrar.register('hello_service', { address: await evilServer() }).registered();
    const client = run('client', '--reg', registry.url, '--interval', '10');
    await client.until('replies and errors', ({ out, err }) => out.length >= 2 && err.length >= 3);

    expect(new Set(client.out)).toEqual(new Set([`Hello ${SHOWN}`]));
    const said = client.err.join('\n');
    expect(said).toContain(`No ${SHOWN}`);
    expect(said).toContain('/etcdv3_resolver/hello_service/');
    expect(said).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
    for (const line of client.err) expect(line).toMatch(/^evenkeel: (?!all is well)/);
  });

  it('complains of its command line in one line', async () => {
    const program = run(`cl\u001b[2Jient\nevenkeel: all is well`);
    expect(await program.exited).toBe(2);
    expect(program.err).toEqual([expect.stringContaining('cl\\x1b[2Jient\\nevenkeel')]);
  });
});
