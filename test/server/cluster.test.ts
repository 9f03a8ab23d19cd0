import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GreeterClient } from '../../generated/helloworld.js';
import { EtcdRegistry } from '../../src/registry/etcd/registry.js';
import { endWithUs } from '../support/children.js';
import { type EtcdProcess, startEtcd } from '../support/etcd.js';
import { freePorts } from '../support/free-ports.js';
import type { ClusterOptions, FromWorker } from './cluster-main.js';

const MAIN = fileURLToPath(new URL('../../dist/test/server/cluster-main.js', import.meta.url));
const WORKERS = 3;

async function etcd(): Promise<EtcdProcess> {
  const started = await startEtcd();
  onTestFinished(() => started.close());
  return started;
}

function start(options: ClusterOptions): {
  primary: ChildProcess;
  heard: FromWorker[];
  next(): Promise<void>;
} {
  const primary = endWithUs(
    fork(MAIN, [JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // grpc-js says it, too.
      env: { ...process.env, GRPC_VERBOSITY: 'NONE' },
    }),
  );
  onTestFinished(() => {
    if (primary.connected) primary.disconnect();
  });
  const heard: FromWorker[] = [];
  primary.on('message', (message: FromWorker) => heard.push(message));
  return { primary, heard, next: async () => void (await once(primary, 'message')) };
}

/** The pid of the worker that a connection of its own was given to. */
function answeredBy(address: string): Promise<string> {
  const client = new GreeterClient(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  return new Promise<string>((resolve, reject) => {
    client.sayHello({ name: 'cluster' }, (error, reply) =>
      error === null ? resolve(reply.message) : reject(error),
    );
  }).finally(() => client.close());
}

describe('serve in the workers of a cluster', () => {
  it('all serve on one port, and it is announced as long as one of them does', async () => {
    const { url } = await etcd();
    const [port] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const { primary, heard, next } = start({ workers: WORKERS, address, etcd: url });
    while (heard.length < WORKERS) await next();
    expect(heard).toEqual(heard.map(({ pid }) => ({ kind: 'serving', pid, address })));

    const pids = new Set(heard.map(({ pid }) => String(pid)));
    const seen = new Set<string>();
    while (seen.size < WORKERS) seen.add(await answeredBy(address));
    expect(seen).toEqual(pids);

    const registry = new EtcdRegistry({ hosts: url });
    onTestFinished(() => registry.close());
    const ids = new Set<string>();
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const events = registry.watch('cluster', stop.signal)[Symbol.asyncIterator]();
    const announced = async (count: number) => {
      do {
        const { value: event } = await events.next();
        if (event?.kind === 'snapshot') ids.clear();
        if (event?.kind === 'snapshot') for (const endpoint of event.endpoints) ids.add(endpoint.id);
        if (event?.kind === 'changes') for (const id of event.removed) ids.delete(id);
        if (event?.kind === 'changes') for (const endpoint of event.put) ids.add(endpoint.id);
      } while (ids.size !== count);
    };
    await announced(WORKERS);
    for (let left = WORKERS - 1; left >= 0; left--) {
      primary.send(heard[left]!.pid);
      await announced(left);
    }
  });

  it('say that another process has the port, each', async () => {
    const { url } = await etcd();
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void holder.close());
    const address = `127.0.0.1:${(holder.address() as { port: number }).port}`;
    const { heard, next } = start({ workers: WORKERS, address, etcd: url });
    while (heard.length < WORKERS) await next();
    for (const { kind, pid } of heard) {
      const message = `cannot listen on ${address}: ${address} is in use by another process; choose another port, or 0 for any free one`;
      expect({ kind, pid, message }).toEqual(heard.find((said) => said.pid === pid));
    }
  });
});
