import cluster from 'node:cluster';
import { lookup } from 'node:dns/promises';
import { createServer } from 'node:net';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { joinHostPort } from '../base/endpoint.js';
import { asError, BalancerError } from '../base/errors.js';
import { formatAddress, type ListenAddress } from './address.js';

/** Where a server listens. */
export interface Bound {
  /** With the port that was bound. */
  readonly address: ListenAddress;
  /** Takes back what was bound. */
  unbind(): void;
}

/**
 * Binds a grpc-js server and resolves with where.
 *
 * grpc-js binds what it can of the addresses of a host name, keeps quiet about the rest, and loses the reason when it
 * can bind none. A server that holds `[::1]:50001` while another process holds `127.0.0.1:50001` would announce
 * `localhost:50001` and never be reached, so the system is asked first, for each address.
 *
 * A worker of `node:cluster` cannot ask: its primary binds, and passes connections to each worker that listens, so that
 * one which only asked would be given connections, too. There each address is bound on its own, so that each failure
 * is heard of.
 *
 * @throws BalancerError LISTEN_FAILED, naming the address, the reason and the cure.
 */
export async function listen(
  server: Server,
  address: ListenAddress,
  credentials: ServerCredentials,
): Promise<Bound> {
  if (address.kind === 'tcp' && cluster.isWorker) return bindEach(server, address, credentials);
  if (address.kind === 'tcp') await assertBindable(address.host, address.port);
  const name = formatAddress(address);
  const port = await bind(server, name, credentials).catch((cause: Error) => {
    throw new BalancerError('LISTEN_FAILED', `cannot listen on ${name}: ${cause.message}`, { cause });
  });
  const bound = address.kind === 'tcp' ? { ...address, port } : address;
  return { address: bound, unbind: () => server.unbind(formatAddress(bound)) };
}

function bind(server: Server, name: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    try {
      server.bindAsync(name, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    } catch (thrown) {
      reject(asError(thrown));
    }
  });
}

/** Binds every address of the host that this machine has; at least one must be. */
async function bindEach(
  server: Server,
  { host, port: wanted }: ListenAddress & { readonly kind: 'tcp' },
  credentials: ServerCredentials,
): Promise<Bound> {
  const bound: string[] = [];
  const unbind = () => {
    for (const name of bound) server.unbind(name);
  };
  let port = wanted;
  try {
    await each(host, wanted, async (address) => {
      try {
        port = await bind(server, joinHostPort(address, port), credentials);
        bound.push(joinHostPort(address, port));
        return undefined;
      } catch (thrown) {
        const error: NodeJS.ErrnoException = asError(thrown);
        // grpc-js keeps the message of the system's error only: "... errors: [bind EADDRINUSE 127.0.0.1:50001]".
        const code = /\b(E[A-Z]{3,})\b/.exec(error.message)?.[1];
        return Object.assign(error, code !== undefined && { code });
      }
    });
  } catch (thrown) {
    unbind();
    throw thrown;
  }
  return { address: { kind: 'tcp', host, port }, unbind };
}

/** Resolves when every address of the host can be bound that this machine has; at least one must be. */
async function assertBindable(host: string, port: number): Promise<void> {
  await each(host, port, (address) => probe(address, port));
}

/**
 * Tries each address of a host in turn, by what resolves with an error where it cannot be bound.
 *
 * @throws BalancerError LISTEN_FAILED at the first that cannot, though this machine has it; and when it has none.
 */
async function each(
  host: string,
  port: number,
  attempt: (address: string) => Promise<NodeJS.ErrnoException | undefined>,
): Promise<void> {
  const name = joinHostPort(host, port);
  const fail = (reason: string, cause: unknown): never => {
    throw new BalancerError('LISTEN_FAILED', `cannot listen on ${name}: ${reason}`, { cause });
  };
  const addresses = await lookup(host, { all: true }).catch((error: NodeJS.ErrnoException) =>
    fail(`the host ${host} cannot be resolved (${error.code})`, error),
  );
  let foreign: NodeJS.ErrnoException | undefined;
  let bindable = 0;
  for (const { address } of addresses) {
    const error = await attempt(address);
    if (error === undefined) bindable++;
    else if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') foreign = error;
    else fail(reasonFor(error, address, port), error);
  }
  if (bindable === 0)
    fail('this machine has no such address; listen on one of its own, or on 0.0.0.0', foreign);
}

function reasonFor(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') {
    return `${joinHostPort(host, port)} is in use by another process; choose another port, or 0 for any free one`;
  }
  if (error.code === 'EACCES')
    return `port ${port} needs more rights than this process has; choose one from 1024 up`;
  return error.message;
}

function probe(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const listener = createServer();
    listener.once('error', resolve);
    listener.listen({ host, port, exclusive: true }, () => listener.close(() => resolve(undefined)));
  });
}
