import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { EchoReply } from '../../../generated/evenkeel/echo/v1/echo.js';
import { RUN } from './scenario-server.js';

/** A call as it arrives: nothing has been read of it, nor said to it. */
export interface RawCall {
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
  readonly headers: IncomingHttpHeaders;
  /** What the caller calls itself. */
  readonly run: string;
  /** The connection's own socket, under HTTP/2. */
  readonly socket: Socket;
}

/** A server at the level of HTTP/2, which does to its streams and connections what grpc-js's server never would. */
export class RawServer {
  address = '';
  /** The calls whose headers came, in order, by the name that they give. */
  readonly arrivals: string[] = [];
  /** Connections made so far. */
  connections = 0;
  readonly #server: Http2Server = createServer();
  readonly #silent: NetServer = createNetServer();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();

  static async start(handle: (call: RawCall) => void): Promise<RawServer> {
    const server = new RawServer(handle);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    server.address = `127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  private constructor(handle: (call: RawCall) => void) {
    for (const server of [this.#server, this.#silent]) {
      server.on('connection', (socket: Socket) => {
        this.#sockets.add(socket);
        socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      });
    }
    this.#silent.on('connection', (socket) => socket.resume());
    this.#server.on('session', (session) => {
      this.connections++;
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
      session.on('error', () => {});
    });
    this.#server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      const run = String(headers[RUN] ?? 'unnamed');
      this.arrivals.push(run);
      const session = stream.session as ServerHttp2Session;
      const { remotePort } = session.socket;
      const socket = [...this.#sockets].find((candidate) => candidate.remotePort === remotePort) as Socket;
      handle({ stream, session, headers, run, socket });
    });
  }

  /** How many connections are open. */
  get open(): number {
    return this.#sessions.size;
  }

  /** Drops every connection, without a word. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Tells every client to go away, and means no harm. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway(constants.NGHTTP2_NO_ERROR);
  }

  /** Accepts no more connections; those that there are go on. */
  stopListening(): void {
    this.#server.close();
  }

  /** Drops every connection; accepts others at the same address, and never says a word on them. */
  async fallSilent(): Promise<void> {
    await this.close();
    await new Promise<void>((resolve) =>
      this.#silent.listen(Number(this.address.split(':')[1]), '127.0.0.1', resolve),
    );
  }

  async close(): Promise<void> {
    const closed = [this.#server, this.#silent].map(
      (server) => new Promise((resolve) => server.close(resolve)),
    );
    this.drop();
    await Promise.all(closed);
  }
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;

/** Answers with one message, and OK unless it is to end otherwise. */
export function answer(
  call: RawCall,
  end = ({ stream }: RawCall) => stream.sendTrailers({ 'grpc-status': '0' }),
): void {
  const { stream, run } = call;
  stream.resume();
  const message = EchoReply.encode({ payload: Buffer.from(run), server: '', seen: 1 }).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.respond(HEADERS, { waitForTrailers: true });
  stream.on('wantTrailers', () => end(call));
  stream.end(Buffer.concat([prefix, message]));
}

/** Answers once the client has sent all, which is what a server of request streams does. */
export function answerAtEnd(call: RawCall): void {
  call.stream.on('end', () => answer(call));
  call.stream.resume();
}

/** Refuses the stream: it is not processed, says HTTP/2 (RFC 9113, section 8.7). */
export function refuse({ stream }: RawCall): void {
  stream.close(constants.NGHTTP2_REFUSED_STREAM);
}

/** Refuses a stream that has been answered with headers. Node would end it first, and so the frame is written by hand. */
export function refuseAfterHeaders({ stream, socket }: RawCall): void {
  stream.respond(HEADERS);
  stream.once('data', () => {
    // RFC 9113, section 6.4: a length of 4, the type RST_STREAM, no flags, the stream, the error code.
    const frame = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, constants.NGHTTP2_REFUSED_STREAM]);
    frame.writeUInt32BE(stream.id ?? 0, 5);
    setImmediate(() => socket.write(frame));
  });
}

/** Ends the call with a status alone, as `Trailers-Only`. */
export function failWith(code: number, message: string, more: OutgoingHttpHeaders = {}) {
  return ({ stream }: RawCall): void => {
    const status = { 'grpc-status': `${code}`, 'grpc-message': message };
    stream.respond({ ...HEADERS, ...status, ...more }, { endStream: true });
  };
}
