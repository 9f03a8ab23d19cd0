import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { TlsOptions } from '../options.js';
import { ConnectAnswer, connectRequest, type HttpProxy } from './proxy.js';
import type { Target } from './target.js';
import { alpnFault, connectionOptions, sessionKey, type TlsSessions, tlsFault } from './tls.js';

/** Who dials, and hears what comes of it. */
export interface Dialler {
  /** It is there: bytes may be written to it, and come through {@link read}. */
  connected(socket: Socket): void;
  /** The bytes are only there until it returns. */
  read(bytes: Buffer, start: number, end: number): void;
  /** It came to nothing, or has ended. Told once, last. */
  closed(why: string): void;
}

export interface DialOptions {
  readonly address: string;
  readonly target: Target;
  readonly tls: TlsOptions | undefined;
  /** The name that the server's certificate must have, where it is not that of the target. */
  readonly targetName: string | undefined;
  readonly sessions: TlsSessions;
  readonly proxy: HttpProxy | undefined;
  /** What is read comes through here, on all connections. */
  readonly readBuffer: Buffer;
}

/** A connection that is being made, or was. */
export interface Dialled {
  /** Ends it at once. Nothing is heard of it any more. */
  hangUp(): void;
  /** Whether it keeps the process alive from now on. At first it does not. */
  keepAlive(on: boolean): void;
}

/** Makes a connection. */
export function dial(options: DialOptions, dialler: Dialler): Dialled {
  return new Dialling(options, dialler);
}

class Dialling implements Dialled {
  readonly #sockets: Socket[] = [];
  readonly #onRead: OnReadOpts;
  #over = false;
  #keepsAlive = false;

  constructor(
    private readonly options: DialOptions,
    private readonly dialler: Dialler,
  ) {
    this.#onRead = {
      // Reads are handed over as they are made, so that one buffer does for all. Not so where they are made ahead.
      buffer:
        process.platform === 'win32' ? Buffer.allocUnsafeSlow(options.readBuffer.length) : options.readBuffer,
      callback: (length, buffer) => {
        if (!this.#over) dialler.read(buffer as Buffer, 0, length);
        return true;
      },
    };
    if (options.proxy === undefined) this.#direct();
    else this.#throughProxy(options.proxy);
  }

  hangUp(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  keepAlive(on: boolean): void {
    if (this.#keepsAlive === on) return;
    this.#keepsAlive = on;
    for (const socket of this.#sockets) refer(socket, on);
  }

  #direct(): void {
    const { target, tls } = this.options;
    const where = target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port };
    if (tls !== undefined) {
      this.#secure(where);
      return;
    }
    const socket = connectTcp({ ...where, onread: this.#onRead });
    this.#watch(socket, (error) => error.message);
    socket.once('connect', () => this.#connected(socket));
  }

  /** @param where - what `tls.connect` is to connect to, or over. */
  #secure(where: { path: string } | { host: string; port: number } | { socket: Socket }): void {
    const { address, target, tls, targetName, sessions } = this.options;
    const key = sessionKey(address, tls!, targetName);
    const session = key === undefined ? undefined : sessions.get(key);
    // `onread` is an option of every socket; the types know it of those without TLS.
    const options: ConnectionOptions & { onread: OnReadOpts } = {
      ...connectionOptions(target, tls!, targetName),
      ...where,
      ...(session === undefined ? {} : { session }),
      onread: this.#onRead,
    };
    const socket: TLSSocket = connectTls(options);
    let isSecure = false;
    this.#watch(socket, (error) => {
      if (!isSecure && key !== undefined) sessions.drop(key);
      return isSecure ? error.message : tlsFault(error);
    });
    if (key !== undefined) socket.on('session', (ticket: Buffer) => sessions.put(key, ticket));
    socket.once('secureConnect', () => {
      isSecure = true;
      const fault = alpnFault(socket);
      if (fault !== undefined) {
        this.#closed(fault);
        return;
      }
      this.#connected(socket);
      // Node does not take `onread` for TLS over a socket that is there.
      if ('socket' in where) this.#readData(socket);
    });
  }

  #throughProxy(proxy: HttpProxy): void {
    const { target, tls } = this.options;
    const { host, port } = target as Extract<Target, { kind: 'tcp' }>;
    const socket = connectTcp({ host: proxy.host, port: proxy.port });
    const answer = new ConnectAnswer();
    this.#watch(socket, (error) => `the proxy ${proxy.host}:${proxy.port}: ${error.message}`);
    socket.once('connect', () => socket.write(connectRequest(host, port, proxy)));
    const hear = (chunk: Buffer) => {
      let rest: Buffer | undefined;
      try {
        rest = answer.add(chunk);
      } catch (thrown) {
        this.#closed((thrown as Error).message);
        return;
      }
      if (rest === undefined) return;
      socket.off('data', hear);
      if (tls !== undefined) {
        socket.pause();
        if (rest.length > 0) socket.unshift(rest);
        try {
          this.#secure({ socket });
        } catch (thrown) {
          // Options that OpenSSL does not take.
          this.#closed((thrown as Error).message);
        }
        return;
      }
      this.#connected(socket);
      this.#readData(socket);
      if (rest.length > 0) this.dialler.read(rest, 0, rest.length);
    };
    socket.on('data', hear);
  }

  #readData(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      if (!this.#over) this.dialler.read(bytes, 0, bytes.length);
    });
  }

  #connected(socket: Socket): void {
    if (this.#over) return;
    socket.setNoDelay(true);
    // A server that says no more hears no more, either: what is still to be written would keep the socket open.
    socket.once('end', () => this.#closed('Connection dropped'));
    this.dialler.connected(socket);
  }

  #watch(socket: Socket, explain: (error: Error) => string): void {
    this.#sockets.push(socket);
    refer(socket, this.#keepsAlive);
    socket.on('error', (error) => this.#closed(explain(error)));
    socket.on('close', () => this.#closed('Connection dropped'));
  }

  #closed(why: string): void {
    if (this.#over) return;
    this.hangUp();
    this.dialler.closed(why);
  }
}

function refer(socket: Socket, on: boolean): void {
  if (on) socket.ref();
  else socket.unref();
}
