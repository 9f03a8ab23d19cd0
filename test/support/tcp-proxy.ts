// A TCP proxy that fails in the ways of networks: silence, resets, and cuts in the middle of an answer.
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** For good. */
  silent: boolean;
}

export class TcpProxy {
  readonly port: number;
  /** How often {@link cutAfter} has come to a cut. */
  cuts = 0;
  /** How long everything takes in either direction, in milliseconds: half a round trip. Of what is sent from now on. */
  latencyMs = 0;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #silent = false;
  #bytesToCut = Number.POSITIVE_INFINITY;

  private constructor(server: Server, target: () => number) {
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
    server.on('connection', (near) => this.#connect(near, target()));
  }

  /** @param target - the loopback port to pass connections on to, asked for with each. */
  static start(target: () => number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', () => resolve(new TcpProxy(server, target)));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Accepts, and passes nothing on in either direction; nobody is told. */
  blackHole(): void {
    this.#silent = true;
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  /** Passes on again, also what was held back. */
  heal(): void {
    this.#silent = false;
    for (const { near, far, silent } of this.#pairs) {
      if (silent) continue;
      near.resume();
      far.resume();
    }
  }

  /** The connections that there are pass nothing on any more, and nobody is told. New ones are passed on. */
  silence(): void {
    for (const pair of this.#pairs) {
      pair.silent = true;
      pair.near.pause();
      pair.far.pause();
    }
  }

  /** Resets every connection. New ones are accepted. */
  cut(): void {
    for (const pair of [...this.#pairs]) this.#reset(pair);
  }

  /** Resets every connection when the target has sent this many bytes more. */
  cutAfter(bytes: number): void {
    this.#bytesToCut = bytes;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connect(near: Socket, port: number): void {
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const pair: Pair = { near, far, silent: false };
    this.#pairs.add(pair);
    near.setNoDelay();
    far.setNoDelay();
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => {
        if (from === far) this.#count(chunk.length);
        this.#late(() => {
          if (!to.destroyed && !to.write(chunk)) from.pause();
        });
      });
      to.on('drain', () => this.#silent || pair.silent || from.resume());
      from.on('end', () => this.#late(() => to.end()));
      from.on('error', () => this.#reset(pair));
      from.on('close', () => this.#reset(pair));
    }
    if (this.#silent) {
      near.pause();
      far.pause();
    }
  }

  /** Timers of one delay run in their order, and so what they pass on keeps its own. */
  #late(pass: () => void): void {
    if (this.latencyMs === 0) pass();
    else setTimeout(pass, this.latencyMs).unref();
  }

  #count(bytes: number): void {
    this.#bytesToCut -= bytes;
    if (this.#bytesToCut > 0) return;
    this.#bytesToCut = Number.POSITIVE_INFINITY;
    this.cuts += 1;
    this.cut();
  }

  #reset(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    reset(pair.near);
    reset(pair.far);
  }
}

/** Node 20 never closes a socket that is reset while it shuts down (`uv_tcp_close_reset` refuses), nor then exits. */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
