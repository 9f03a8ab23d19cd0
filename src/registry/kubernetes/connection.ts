import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import {
  type ClientHttp2Session,
  constants,
  connect as http2Connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { checkServerIdentity, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/errors.js';
import type { ClusterConfig } from './cluster.js';
import { read } from './config-files.js';
import { unavailable } from './failures.js';

/** An answer whose head has come. */
export interface ApiAnswer {
  readonly status: number;
  /** Fails when it does not come to its orderly end. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** A connection to an API server, the port to the wire. */
export interface ApiConnection {
  get(path: string): Promise<ApiAnswer>;
  /** Asks whether anybody is there; undefined where the protocol has no such question (HTTP/1.1). */
  readonly ping: (() => Promise<void>) | undefined;
  /** Whether it takes more requests. */
  readonly usable: boolean;
  /** From now on it keeps no process alive. */
  unref(): void;
  /** Ends it and whatever is open on it, at once. */
  close(): void;
}

export interface DialOptions {
  readonly cluster: ClusterConfig;
  readonly clock: Clock;
  /** For TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** HTTP/2 where the server speaks it, as every API server does, and else HTTP/1.1: a proxy's, `kubectl proxy`'s. */
export async function dial(options: DialOptions): Promise<ApiConnection> {
  const socket = await openSocket(options);
  const http2 = (socket as Partial<TLSSocket>).alpnProtocol === 'h2';
  return http2 ? new Http2Connection(options.cluster, socket) : new Http1Connection(options, socket);
}

async function openSocket({ cluster, clock, connectTimeoutMs, signal }: DialOptions): Promise<Socket> {
  const { server, serverName } = cluster;
  const host = server.hostname.replace(/^\[|\]$/g, '');
  const secure = server.protocol === 'https:';
  const port = Number(server.port || (secure ? 443 : 80));
  const [ca, cert, key] = await Promise.all(
    [cluster.ca, cluster.cert, cluster.key].map((material) => material && read(material)),
  );
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const name = serverName ?? host;
    const socket = secure
      ? tlsConnect({
          host,
          port,
          ALPNProtocols: ['h2', 'http/1.1'],
          rejectUnauthorized: !cluster.insecure,
          checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
          ...(isIP(name) === 0 && { servername: name }),
          ...(ca !== undefined && { ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
        })
      : tcpConnect({ host, port });
    const settle = (error?: Error) => {
      cancelTimer();
      signal.removeEventListener('abort', aborted);
      if (error === undefined) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const aborted = () => settle(asError(signal.reason));
    const cancelTimer = clock.after(connectTimeoutMs, () => {
      settle(unavailable(`no connection to ${server.origin} within ${connectTimeoutMs} ms`));
    });
    signal.addEventListener('abort', aborted, { once: true });
    // It stays on: what comes later than the answer is for whoever uses the socket, and must not be nobody's.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      settle(unavailable(`no connection to ${server.origin}: ${error.code ?? error.message}`, error));
    });
    socket.once(secure ? 'secureConnect' : 'connect', () => settle());
  });
}

/** The token is read for each request: it is replaced while the process lives. */
async function headersOf({ token }: ClusterConfig): Promise<Record<string, string>> {
  const given: unknown =
    token === undefined ? '' : typeof token === 'function' ? await token() : (await read(token)).toString();
  const value = typeof given === 'string' ? given.trim() : undefined;
  // Not shown: it may be most of a token.
  if (value === undefined || !/^[\x21-\x7e]*$/.test(value)) {
    throw unavailable('the token is not one line of visible ASCII');
  }
  return {
    accept: 'application/json',
    'user-agent': 'evenkeel',
    ...(value !== '' && { authorization: `Bearer ${value}` }),
  };
}

/** An API server may be a part of another, at a path of its own. */
function pathOn({ server }: ClusterConfig, path: string): string {
  return server.pathname.replace(/\/+$/, '') + path;
}

class Http2Connection implements ApiConnection {
  readonly #cluster: ClusterConfig;
  readonly #session: ClientHttp2Session;
  #goingAway = false;
  #failure: Error | undefined;

  constructor(cluster: ClusterConfig, socket: Socket) {
    this.#cluster = cluster;
    this.#session = http2Connect(cluster.server.origin, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    this.#session.on('error', (error) => {
      this.#failure ??= error;
    });
    this.#session.on('goaway', () => {
      this.#goingAway = true;
    });
  }

  get usable(): boolean {
    return !this.#goingAway && !this.#session.closed && !this.#session.destroyed;
  }

  readonly ping = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const gone = () => reject(this.#failure ?? new Error('the connection is gone'));
      if (this.#session.destroyed) return gone();
      const sent = this.#session.ping((error) => (error === null ? resolve() : reject(error)));
      if (!sent) gone();
    });

  async get(path: string): Promise<ApiAnswer> {
    const headers = { ':path': pathOn(this.#cluster, path), ...(await headersOf(this.#cluster)) };
    const stream = this.#session.request(headers, { endStream: true });
    const head = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
      stream.once('response', resolve);
      // For good: what goes wrong after the answer is told by its body.
      stream.on('error', reject);
      stream.once('close', () =>
        reject(this.#failure ?? new Error('the connection was closed before an answer')),
      );
    });
    // A connection that breaks ends its streams as if all had come: only their code tells.
    const failure = () => {
      const whole = !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR;
      return this.#failure ?? (whole ? undefined : new Error('the answer was cut off'));
    };
    return { status: Number(head[':status']), body: checked(stream, failure) };
  }

  unref(): void {
    this.#session.unref();
  }

  close(): void {
    this.#session.destroy();
  }
}

class Http1Connection implements ApiConnection {
  readonly ping = undefined;
  readonly usable = true;
  readonly #options: DialOptions;
  readonly #open = new Set<Socket>();
  #first: Socket | undefined;
  #unref = false;

  constructor(options: DialOptions, socket: Socket) {
    this.#options = options;
    this.#first = socket;
    this.#open.add(socket);
  }

  /** Each request has a connection of its own. */
  async get(path: string): Promise<ApiAnswer> {
    const { cluster } = this.#options;
    const headers = { ...(await headersOf(cluster)), host: cluster.server.host };
    const socket = this.#first ?? (await openSocket(this.#options));
    this.#first = undefined;
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    if (this.#unref) socket.unref();
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const on = pathOn(cluster, path);
      const request: ClientRequest = httpRequest({ path: on, headers, createConnection: () => socket });
      request.once('response', resolve).on('error', reject).end();
    });
    // One that is cut off fails by itself.
    return { status: answer.statusCode ?? 0, body: answer };
  }

  unref(): void {
    this.#unref = true;
    for (const socket of this.#open) socket.unref();
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

async function* checked(
  body: AsyncIterable<Uint8Array>,
  failure: () => Error | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* body;
  const failed = failure();
  if (failed !== undefined) throw failed;
}
