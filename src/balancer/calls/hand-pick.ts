import {
  type ChannelCredentials,
  type ChannelInterface,
  Client,
  type ClientOptions,
  connectivityState,
  credentials,
  type InterceptingListener,
  type Metadata,
  type StatusObject,
} from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.js';
import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError, Status } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import {
  type Connection,
  cancelOnceUnderWay,
  type Holder,
  type WireCall,
} from '../transport/grpc-js/transport.js';
import type { Link } from './call-host.js';

/** The constructor of a generated client. */
export type ClientConstructor<C> = new (
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
) => C;

/**
 * The right to make one call on one subchannel, chosen by the picker and counted from then on. It is to be finished
 * once: by the call of {@link as}, by {@link finish}, or by `using`. It is never retried elsewhere.
 */
export interface Pick extends Disposable {
  readonly endpoint: Endpoint;
  /** A grpc-js client on the subchannel. Its calls do not finish the pick: call {@link finish} when done. */
  readonly client: Client;
  /**
   * A generated client for a single call, whose end finishes the pick.
   *
   * @throws {@link BalancerError} PICK_USED, here or from the client's methods, at a second call or after `finish`.
   */
  as<C>(Ctor: ClientConstructor<C>): C;
  /** Ends the pick; without an outcome the picker is told of a pick that was never used. Only the first one counts. */
  finish(outcome?: Outcome): void;
}

type CreateCall = (...call: Parameters<ChannelInterface['createCall']>) => WireCall;

/** A {@link Pick} as the pool makes it, of a row that is counted already. */
export class HandPick implements Pick, Holder {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  readonly endpoint: Endpoint;
  readonly #connection: Connection;
  readonly unary = false;
  readonly byHand = true;
  readonly startedAt: number;
  #wire: WireCall | undefined;
  #finished = false;

  constructor(
    row: Row<Link>,
    private readonly clock: Clock,
    private readonly onFinish: (outcome: Outcome) => void,
  ) {
    this.endpoint = row.endpoint;
    this.#connection = row.link!.connection!.hold(this);
    this.startedAt = clock.now();
  }

  get client(): Client {
    return this.#clientOf(Client, (...call) => this.#connection.createCall(...call));
  }

  as<C>(Ctor: ClientConstructor<C>): C {
    this.#refuseIfUsed();
    return this.#clientOf(Ctor, (...call) => {
      this.#refuseIfUsed();
      this.#wire = this.#connection.createCall(...call);
      return observed(this.#wire, this.#connection.target, ({ code }) => {
        this.finish({ code, latencyMs: this.clock.now() - this.startedAt });
      });
    });
  }

  finish(outcome: Outcome = { code: Status.OK }): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#connection.release(this);
    this.onFinish(outcome);
  }

  [Symbol.dispose](): void {
    // Left by `using` while its call runs: the call finishes the pick.
    if (this.#wire === undefined) this.finish();
  }

  cut(details: string): void {
    if (this.#wire === undefined) this.finish({ code: Status.UNAVAILABLE });
    else this.#wire.cancelWithStatus(Status.UNAVAILABLE, details);
  }

  #refuseIfUsed(): void {
    if (!this.#finished && this.#wire === undefined) return;
    const why = this.#finished ? 'is finished' : 'has made its call';
    throw new BalancerError(
      'PICK_USED',
      `this pick of ${this.endpoint.address} ${why}: pick again for another call`,
    );
  }

  #clientOf<C>(Ctor: ClientConstructor<C>, createCall: CreateCall): C {
    return clientOn(Ctor, new PickChannel(this.#connection.target, createCall));
  }
}

/** A generated client whose calls go to this channel. */
export function clientOn<C>(Ctor: ClientConstructor<C>, channel: ChannelInterface): C {
  // With the override, address and credentials are not looked at.
  return new Ctor(channel.getTarget(), credentials.createInsecure(), { channelOverride: channel });
}

/** The subchannel of a pick as a channel, which the client of a pick can neither close nor watch change. */
class PickChannel implements ChannelInterface {
  constructor(
    private readonly target: string,
    readonly createCall: CreateCall,
  ) {}

  close(): void {}

  getTarget(): string {
    return this.target;
  }

  getConnectivityState(): connectivityState {
    return connectivityState.READY;
  }

  watchConnectivityState(
    _from: connectivityState,
    _deadline: Date | number,
    callback: (error?: Error) => void,
  ): void {
    queueMicrotask(() => callback(new Error('the channel of a pick cannot be watched: watch the pool')));
  }

  getChannelzRef(): ReturnType<ChannelInterface['getChannelzRef']> {
    return { kind: 'channel', id: -1, name: this.target } as ReturnType<ChannelInterface['getChannelzRef']>;
  }
}

/** The same call, whose end is heard before its listener hears of it, and which stays cancelled once it is. */
function observed(wire: WireCall, target: string, ended: (status: StatusObject) => void): WireCall {
  const start = wire.start.bind(wire);
  const cancel = wire.cancelWithStatus.bind(wire);
  wire.cancelWithStatus = (code: number, details: string) => {
    void cancelOnceUnderWay(wire, target, () => cancel(code, details));
  };
  wire.start = (metadata: Metadata, listener: InterceptingListener) => {
    start(metadata, {
      onReceiveMetadata: (headers) => listener.onReceiveMetadata(headers),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveStatus: (status) => {
        ended(status);
        listener.onReceiveStatus(status);
      },
    });
  };
  return wire;
}
