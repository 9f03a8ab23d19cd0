import type { Socket } from 'node:net';
import { CallCredentials, ChannelCredentials, type experimental } from '@grpc/grpc-js';

/** Whether connections keep the process alive: while calls are open on them, as grpc-js has it; never; or always. */
export type KeepAlive = 'by-calls' | 'never' | 'always';

/**
 * Credentials that know the connections made with them. grpc-js closes a connection by half, and then waits for the
 * other end without a bound: a peer that hangs would leave a socket behind at every attempt, and keep the process.
 */
export class TrackedCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;
  #keepAlive: KeepAlive;
  readonly #sockets = new Set<Socket>();
  /** Those that grpc-js has: the same, or TLS over them. */
  readonly #connected = new Set<Socket>();
  #over = false;
  #bringMetadata = false;

  constructor(inner: ChannelCredentials, keepAlive: KeepAlive = 'by-calls') {
    super();
    this.#inner = inner;
    this.#keepAlive = keepAlive;
  }

  /** Whether a connection made with them adds metadata to every call, as far as one has been made. */
  get bringMetadata(): boolean {
    return this.#bringMetadata;
  }

  /** Whether the connections keep the process alive from now on. */
  keepAlive(keepAlive: KeepAlive): void {
    if (this.#keepAlive === keepAlive) return;
    this.#keepAlive = keepAlive;
    for (const socket of this.#connected) apply(keepAlive, socket);
  }

  /** Closes every connection at once. */
  destroySockets(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Closes every connection as soon as what was written to it is with the system, whatever the peer does. */
  endSockets(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroySoon();
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure();
  }

  /** Channels with equal credentials share connections: this one's are its own. */
  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(
    ...args: Parameters<ChannelCredentials['_createSecureConnector']>
  ): experimental.SecureConnector {
    const inner = this.#inner._createSecureConnector(...args);
    this.#bringMetadata = !CallCredentials.createEmpty()._equals(inner.getCallCredentials());
    return {
      connect: (socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        if (this.#over) socket.destroy();
        return inner.connect(socket).then((connected) => {
          const { socket: secured } = connected;
          this.#connected.add(secured);
          secured.once('close', () => this.#connected.delete(secured));
          if (this.#keepAlive !== 'by-calls') apply(this.#keepAlive, secured);
          return connected;
        });
      },
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => inner.destroy(),
    };
  }
}

/** grpc-js refers to a connection while anything is open on it, by `ref` of its socket. */
function apply(keepAlive: KeepAlive, socket: Socket): void {
  if (keepAlive === 'never') {
    socket.unref();
    socket.ref = () => socket;
    return;
  }
  // The class's own again.
  Reflect.deleteProperty(socket, 'ref');
  if (keepAlive === 'always') socket.ref();
}
