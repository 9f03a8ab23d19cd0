// A cluster: each of its workers serves on one port, and answers with its own pid. The primary passes on what they say.
import cluster from 'node:cluster';
import { Server } from '@grpc/grpc-js';
import { type GreeterServer, GreeterService } from '../../generated/helloworld.js';
import { asError } from '../../src/base/errors.js';
import { EtcdRegistrar } from '../../src/registry/etcd/registrar.js';
import { serve } from '../../src/server/serve.js';

export interface ClusterOptions {
  readonly workers: number;
  /** Where all of them listen. */
  readonly address: string;
  readonly etcd: string;
}

export type FromWorker =
  | { readonly kind: 'serving'; readonly pid: number; readonly address: string }
  | { readonly kind: 'failed'; readonly pid: number; readonly message: string };

const { workers, address, etcd } = JSON.parse(process.argv[2] ?? '') as ClusterOptions;

if (cluster.isPrimary) {
  for (let n = 0; n < workers; n++) cluster.fork();
  cluster.on('message', (_, message: FromWorker) => process.send?.(message));
  // Whom it is told to end, by pid.
  process.on('message', (pid: number) => {
    const worker = Object.values(cluster.workers ?? {}).find((each) => each?.process.pid === pid);
    worker?.process.kill('SIGTERM');
  });
  cluster.on('exit', ({ process: { pid } }) => process.send?.({ kind: 'failed', pid, message: 'ended' }));
  process.once('disconnect', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    process.exit();
  });
} else {
  const { pid } = process;
  const greeter: GreeterServer = {
    sayHello: (_, callback) => callback(null, { message: String(pid) }),
  };
  const server = new Server();
  server.addService(GreeterService, greeter);
  try {
    const registrar = new EtcdRegistrar({ hosts: etcd });
    const serving = await serve(server, { registrar, service: 'cluster', address, exit: true });
    await serving.registration.registered();
    process.send?.({ kind: 'serving', pid, address: serving.address } satisfies FromWorker);
  } catch (thrown) {
    process.send?.({ kind: 'failed', pid, message: asError(thrown).message } satisfies FromWorker);
  }
}
