import type { Socket } from 'node:net';
import { CallCredentials, ChannelCredentials, type experimental } from '@grpc/grpc-js';

/**
 * Credentials that know the connections made with them. grpc-js closes a connection by half, and then waits for the
 * other end without a bound: a peer that hangs would leave a socket behind at every attempt, and keep the process.
 */
export class TrackedCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;
  readonly #sockets = new Set<Socket>();
  #over = false;
  #bringMetadata = false;

  constructor(inner: ChannelCredentials) {
    super();
    this.#inner = inner;
  }

  /** Whether a connection made with them adds metadata to every call, as far as one has been made. */
  get bringMetadata(): boolean {
    return this.#bringMetadata;
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
        return inner.connect(socket);
      },
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => inner.destroy(),
    };
  }
}
