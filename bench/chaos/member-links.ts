import { connect, createServer, type Server, type Socket } from 'node:net';

interface Link {
  readonly near: Socket;
  /** The member that dialled; 0n until its first request has come, and where that does not say. */
  from: bigint;
  /** The index of the member that was dialled. */
  readonly to: number;
}

/**
 * What stands between the members of a cluster, and can cut one of them off from all others. Members say who they are
 * in the first request on each connection (etcd server/etcdserver/api/rafthttp: `X-Server-From`).
 */
export class MemberLinks implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #links = new Set<Link>();
  #cutOff: { readonly id: bigint; readonly index: number } | undefined;

  /** For a cluster's `peerPort`. */
  readonly peerPort = (index: number, port: number): Promise<number> => {
    const server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near, index, port));
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', () => {
        resolve((server.address() as { port: number }).port);
      });
    });
  };

  /** From now on nothing passes between this member and the others; nobody is told. */
  cutOff(id: bigint, index: number): void {
    this.#cutOff = { id, index };
    for (const link of this.#links) if (this.#isCut(link)) link.near.pause();
  }

  /** All is well again. What was held back is lost, and its connections with it. */
  heal(): void {
    for (const link of this.#links) if (this.#isCut(link)) link.near.destroy();
    this.#cutOff = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { near } of this.#links) near.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #isCut({ from, to }: Link): boolean {
    return this.#cutOff !== undefined && (this.#cutOff.id === from || this.#cutOff.index === to);
  }

  #accept(near: Socket, to: number, port: number): void {
    const link: Link = { near, from: 0n, to };
    this.#links.add(link);
    near.once('close', () => this.#links.delete(link)).on('error', () => near.destroy());
    near.once('data', (request: Buffer) => {
      near.pause();
      link.from = BigInt(`0x${/^x-server-from: ([0-9a-f]+)/im.exec(request.toString('latin1'))?.[1] ?? 0}`);
      if (!this.#isCut(link)) this.#pass(link, request, port);
    });
  }

  #pass(link: Link, request: Buffer, port: number): void {
    const { near } = link;
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    far.write(request);
    near.on('data', (chunk) => {
      if (!far.write(chunk)) near.pause();
    });
    far.on('data', (chunk) => {
      if (!this.#isCut(link)) near.write(chunk);
    });
    far.on('drain', () => this.#isCut(link) || near.resume());
    near.on('end', () => far.end());
    far.on('end', () => near.end());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.on('close', () => far.destroy());
    near.resume();
  }
}
