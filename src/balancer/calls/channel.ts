import {
  type CallCredentials,
  type Channel,
  type ChannelInterface,
  connectivityState,
  type InterceptingListener,
  Metadata,
  propagate,
} from '@grpc/grpc-js';
import { Status } from '../../base/errors.js';
import type { WireCall } from '../transport/grpc-js/transport.js';
import { PickedCall } from './call.js';
import type { CallHost, CallInit, CallStatus, PolicyHost } from './call-host.js';
import { deadlineOf, epochMs } from './deadline.js';
import { HedgedChannelCall } from './hedged-channel-call.js';
import type { KnownMethod } from './method.js';
import { SendBuffer } from './send-buffer.js';

type CreateCall = Parameters<ChannelInterface['createCall']>;
type MessageContext = Parameters<WireCall['sendMessageWithContext']>[0];

/** What a channel needs of its pool beside calls. */
export interface ChannelHost extends CallHost, PolicyHost {
  /** What stands for the pool's connectivity: the best state of any subchannel. */
  connectivity(): 'ready' | 'connecting' | 'failed' | 'shutdown';
  /** Calls `changed` once, at the next change of {@link connectivity}; returns what takes that back. */
  onConnectivity(changed: () => void): () => void;
}

const CONNECTIVITY = {
  ready: connectivityState.READY,
  connecting: connectivityState.CONNECTING,
  failed: connectivityState.TRANSIENT_FAILURE,
  shutdown: connectivityState.SHUTDOWN,
};

/**
 * A pool as a grpc-js channel: for generated clients, by `channelOverride`, and for whatever else takes a channel.
 * Every call on it is picked; a call waits in the pool while nothing is READY, with all that was sent on it.
 *
 * `close()` does nothing: the pool outlives the clients that stand on it. `waitForReady` works as on any channel.
 */
class PoolChannel implements ChannelInterface {
  constructor(
    private readonly host: ChannelHost,
    private readonly methods: ReadonlyMap<string, KnownMethod>,
  ) {}

  close(): void {}

  getTarget(): string {
    return `evenkeel:///${this.host.service}`;
  }

  getConnectivityState(_tryToConnect: boolean): connectivityState {
    return CONNECTIVITY[this.host.connectivity()];
  }

  watchConnectivityState(
    currentState: connectivityState,
    deadline: Date | number,
    callback: (error?: Error) => void,
  ): void {
    const { clock } = this.host;
    if (this.host.connectivity() === 'shutdown') throw new Error('Channel has been shut down');
    let cancelTimer = () => {};
    let cancelWatch = () => {};
    const check = () => {
      if (this.getConnectivityState(false) === currentState) {
        cancelWatch = this.host.onConnectivity(check);
      } else {
        cancelTimer();
        callback();
      }
    };
    cancelTimer = clock.after(epochMs(deadline) - clock.epochNow(), () => {
      cancelWatch();
      callback(new Error('Deadline passed without connectivity state change'));
    });
    queueMicrotask(check);
  }

  getChannelzRef(): ReturnType<ChannelInterface['getChannelzRef']> {
    return { kind: 'channel', id: -1, name: this.getTarget() } as ReturnType<
      ChannelInterface['getChannelzRef']
    >;
  }

  createCall(...[path, deadline, authority, parent, flags]: CreateCall): WireCall {
    if (typeof path !== 'string') throw new TypeError('Channel#createCall: method must be a string');
    if (typeof deadline !== 'number' && !(deadline instanceof Date)) {
      throw new TypeError('Channel#createCall: deadline must be a number or Date');
    }
    const inherited = flags ?? propagate.DEFAULTS;
    const known = this.methods.get(path);
    const policy = known?.policy ?? this.host.policies.of(path);
    const own = deadline === Number.POSITIVE_INFINITY ? {} : { deadline };
    const inherits = parent !== null && (inherited & propagate.DEADLINE) !== 0;
    const init: CallInit = {
      path,
      deadline: deadlineOf(this.host.clock, inherits ? { ...own, parent } : own, policy.timeoutMs),
      policy,
      metadata: new Metadata(),
      host: authority ?? undefined,
    };
    const { hedge } = policy;
    const call =
      hedge === undefined || known?.unary === false
        ? new ChannelCall(this.host, init, known?.unary === true)
        : new HedgedChannelCall(this.host, init, hedge);
    if (parent !== null && (inherited & propagate.CANCELLATION) !== 0) {
      parent.on('cancelled', () => call.cancelWithStatus(Status.CANCELLED, 'Cancelled by parent call'));
    }
    return call;
  }
}

/**
 * A pool as what grpc-js exports as `Channel`: a class, for whose private fields some libraries' types ask, though nothing
 * but its methods is ever used.
 */
export function poolChannel(
  host: ChannelHost,
  methods: ReadonlyMap<string, KnownMethod> = new Map(),
): Channel {
  return new PoolChannel(host, methods) as unknown as Channel;
}

/** A call as grpc-js's clients drive it: begun by its `start`, answered through a listener. */
class ChannelCall extends PickedCall implements WireCall {
  #listener: InterceptingListener | undefined;
  #reading = false;
  /** Of a unary call: kept until its end, for another attempt may follow. */
  #response: Buffer | undefined;
  #endedEarly: CallStatus | undefined;
  readonly #sent = new SendBuffer();

  constructor(
    host: CallHost,
    init: CallInit,
    readonly unary: boolean,
  ) {
    super(host, init);
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.init.metadata = metadata.clone();
    this.#listener = listener;
    if (!this.ended) this.begin();
    else if (this.#endedEarly !== undefined)
      queueMicrotask(() => listener.onReceiveStatus(this.#endedEarly!));
  }

  setCredentials(credentials: CallCredentials): void {
    this.init.credentials = credentials;
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    this.#sent.push(context, message);
  }

  startRead(): void {
    this.#reading = true;
    this.wire?.startRead();
  }

  halfClose(): void {
    this.#sent.halfClose();
  }

  getPeer(): string {
    return this.wire?.getPeer() ?? 'unknown';
  }

  getCallNumber(): number {
    return this.arrival;
  }

  getAuthContext(): ReturnType<WireCall['getAuthContext']> {
    return this.wire?.getAuthContext() ?? null;
  }

  protected headersCame(headers: Metadata): void {
    this.#sent.forget();
    this.#listener?.onReceiveMetadata(headers);
  }

  onReceiveMessage(message: Buffer): void {
    this.messageCame();
    if (this.unary) {
      const before = this.#response;
      this.#response = message;
      // A second one is against the protocol: the listener is to see that, and in order.
      if (before !== undefined) this.#listener?.onReceiveMessage(before);
      return;
    }
    this.#reading = false;
    this.#listener?.onReceiveMessage(message);
  }

  protected replay(wire: WireCall): void {
    if (this.#reading) wire.startRead();
    this.#sent.attach(wire);
  }

  protected override closed(): void {
    this.#response = undefined;
    this.#sent.detach();
  }

  protected replayable(): boolean {
    return this.#sent.replayable;
  }

  protected settle(status: CallStatus): void {
    this.#sent.end();
    if (this.#listener === undefined) {
      this.#endedEarly = status;
      return;
    }
    if (this.#response !== undefined) this.#listener.onReceiveMessage(this.#response);
    this.#listener.onReceiveStatus(status);
  }
}
