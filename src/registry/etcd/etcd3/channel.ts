import {
  Channel,
  type ChannelCredentials,
  type ChannelInterface,
  type ChannelOptions,
  connectivityState,
} from '@grpc/grpc-js';
import { TrackedCredentials } from '../../../base/grpc-js/tracked-credentials.js';

/**
 * The one channel under all services of an etcd3 client, closed by us alone.
 *
 * etcd3 makes a channel per service, so that a snapshot and the watch after it may come from two members behind one
 * name; and it closes them at every error that it takes for the network's, under the feet of other calls.
 */
export class EtcdChannel implements ChannelInterface {
  readonly #channel: Channel;
  readonly #credentials: TrackedCredentials;

  /** @param background - the connection does not keep the process alive, whatever is open on it. */
  constructor(target: string, credentials: ChannelCredentials, options: ChannelOptions, background: boolean) {
    this.#credentials = new TrackedCredentials(credentials, background ? 'never' : 'by-calls');
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
