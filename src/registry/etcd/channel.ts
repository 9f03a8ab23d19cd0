import type { Socket } from 'node:net';
import {
  Channel,
  ChannelCredentials,
  type ChannelInterface,
  type ChannelOptions,
  connectivityState,
  type experimental,
} from '@grpc/grpc-js';

/**
 * The one channel under all services of an etcd3 client, closed by us alone.
 *
 * etcd3 makes a channel per service, so that a snapshot and the watch after it may come from two members behind one
 * name; and it closes them at every error that it takes for the network's, under the feet of other calls.
 */
export class EtcdChannel implements ChannelInterface {
  readonly #channel: Channel;
  readonly #credentials: TrackedCredentials;

  constructor(target: string, credentials: ChannelCredentials, options: ChannelOptions) {
    this.#credentials = new TrackedCredentials(credentials);
    this.#channel = new Channel(target, this.#credentials, options);
  }

  /** etcd3's way of closing: ignored. */
  close(): void {}

  /** Ours: no connection is left behind, not even one on whose other end nobody answers. */
  shutDown(): void {
    this.#channel.close();
    this.#credentials.destroySockets();
  }

  getTarget(): string {
    return this.#channel.getTarget();
  }

  /** etcd3 asks only to decide how to close. */
  getConnectivityState(): connectivityState {
    return connectivityState.IDLE;
  }

  watchConnectivityState(...args: Parameters<Channel['watchConnectivityState']>): void {
    this.#channel.watchConnectivityState(...args);
  }

  getChannelzRef(): ReturnType<Channel['getChannelzRef']> {
    return this.#channel.getChannelzRef();
  }

  createCall(...args: Parameters<Channel['createCall']>): ReturnType<Channel['createCall']> {
    return this.#channel.createCall(...args);
  }
}

/**
 * Credentials that know the connections made with them. grpc-js closes a connection by half, and then waits for the
 * other end without a bound: against an etcd that hangs, every attempt would leave a socket behind.
 */
class TrackedCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;
  readonly #sockets = new Set<Socket>();
  #over = false;

  constructor(inner: ChannelCredentials) {
    super();
    this.#inner = inner;
  }

  destroySockets(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
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
