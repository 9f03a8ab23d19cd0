import {
  type ChannelCredentials,
  type ChannelInterface,
  Client,
  type ClientOptions,
  connectivityState,
  credentials,
} from '@grpc/grpc-js';
import type { Endpoint } from '../../base/endpoint.js';
import { BalancerError, Status } from '../../base/errors.js';
import type { CreateCall, GrpcJsCall } from '../../base/grpc-js/call.js';
import type { Linked } from '../../base/linked-list.js';
import { numberOption, objectOption } from '../../base/options.js';
import type { Outcome } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { Connection, Holder, WireStatus } from '../transport/transport.js';
import type { CallHost, Connected } from './call-host.js';
import { callTerms, ParentLink } from './create-call.js';
import { DirectCall } from './direct-call.js';
import { knownKind } from './method.js';

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
export interface PoolPick extends Disposable {
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

type CreatesCalls = (...asked: CreateCall) => GrpcJsCall;

/** A {@link PoolPick} as the pool makes it, of a row that is counted already. */
export class HandPick implements PoolPick, Holder {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  readonly endpoint: Endpoint;
  readonly #connection: Connection;
  readonly unary = false;
  readonly byHand = true;
  readonly method = undefined;
  readonly startedAt: number;
  #call: GrpcJsCall | undefined;
  #finished = false;

  constructor(
    private readonly row: Row<Connected>,
    private readonly host: CallHost,
  ) {
    this.endpoint = row.endpoint;
    this.#connection = row.link!.connection!.hold(this);
    this.startedAt = host.clock.now();
  }

  get client(): Client {
    return this.#clientOf(Client, (...asked) => this.#create(asked, Client, () => {}));
  }

  as<C>(Ctor: ClientConstructor<C>): C {
    this.#refuseIfUsed();
    return this.#clientOf(Ctor, (...asked) => {
      this.#refuseIfUsed();
      this.#call = this.#create(asked, Ctor, ({ code, reached }) => {
        const latencyMs = this.host.clock.now() - this.startedAt;
        // What is wrong with the call itself says nothing of the server.
        this.finish({ code, latencyMs, method: asked[0], blameless: reached === 'unsendable' });
      });
      return this.#call;
    });
  }

  finish(outcome: Outcome = { code: Status.OK }): void {
    if (this.#finished) return;
    const checked = checkedOutcome(outcome);
    this.#finished = true;
    this.#connection.release(this);
    this.host.finish(this.row, checked);
  }

  [Symbol.dispose](): void {
    // Left by `using` while its call runs: the call finishes the pick.
    if (this.#call === undefined) this.finish();
  }

  cut(details: string): void {
    if (this.#call === undefined) this.finish({ code: Status.UNAVAILABLE });
    else this.#call.cancelWithStatus(Status.UNAVAILABLE, details);
  }

  #refuseIfUsed(): void {
    if (!this.#finished && this.#call === undefined) return;
    const why = this.#finished ? 'is finished' : 'has made its call';
    throw new BalancerError(
      'PICK_USED',
      `this pick of ${this.endpoint.address} ${why}: pick again for another call`,
    );
  }

  #create(asked: CreateCall, Ctor: object, onEnd: (status: WireStatus) => void): GrpcJsCall {
    const { clock, cancellations } = this.host;
    return new DirectCall({
      connection: this.#connection,
      terms: callTerms(asked, clock),
      parent: new ParentLink(asked, cancellations),
      clock,
      oneResponse: knownKind(Ctor, asked[0])?.oneResponse === true,
      onEnd,
    });
  }

  #clientOf<C>(Ctor: ClientConstructor<C>, createCall: CreatesCalls): C {
    return clientOn(Ctor, new PickChannel(this.endpoint.address, createCall));
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
    readonly createCall: CreatesCalls,
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

/** @throws BalancerError INVALID_OPTION for what is no outcome: it would count in everybody's latencies. */
function checkedOutcome(outcome: Outcome): Outcome {
  const { code, latencyMs } = objectOption('the outcome of a pick', outcome);
  numberOption('the code of an outcome', code, { min: 0, integer: true });
  if (latencyMs !== undefined) numberOption('the latencyMs of an outcome', latencyMs, { min: 0 });
  return outcome;
}
