import { lookup } from 'node:dns/promises';
import { createServer } from 'node:net';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { joinHostPort } from '../base/endpoint.js';
import { asError, BalancerError } from '../base/errors.js';
import { formatAddress, type ListenAddress } from './address.js';

/**
 * Binds a grpc-js server and resolves with where.
 *
 * grpc-js binds what it can of the addresses of a host name, keeps quiet about the rest, and loses the reason when it
 * can bind none. A server that holds `[::1]:50001` while another process holds `127.0.0.1:50001` would announce
 * `localhost:50001` and never be reached, so the system is asked first, for each address.
 *
 * @throws BalancerError LISTEN_FAILED, naming the address, the reason and the cure.
 */
export async function listen(
  server: Server,
  address: ListenAddress,
  credentials: ServerCredentials,
): Promise<ListenAddress> {
  if (address.kind === 'tcp') await assertBindable(address.host, address.port);
  const name = formatAddress(address);
  const port = await new Promise<number>((resolve, reject) => {
    const failed = (thrown: unknown) => {
      const cause = asError(thrown);
      reject(new BalancerError('LISTEN_FAILED', `cannot listen on ${name}: ${cause.message}`, { cause }));
    };
    try {
      server.bindAsync(name, credentials, (error, bound) =>
        error === null ? resolve(bound) : failed(error),
      );
    } catch (thrown) {
      failed(thrown);
    }
  });
  return address.kind === 'tcp' ? { ...address, port } : address;
}

/** Resolves when every address of the host can be bound that this machine has; at least one must be. */
async function assertBindable(host: string, port: number): Promise<void> {
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
    const error = await probe(address, port);
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
