import { type Channel, type ChannelInterface, connectivityState, Metadata } from '@grpc/grpc-js';
import type { CreateCall, GrpcJsCall } from '../../base/grpc-js/call.js';
import type { CallHost, CallInit, PolicyHost } from './call-host.js';
import { ChannelCall } from './channel-call.js';
import { callTerms, obeyParent, refuseWhatIsNoCall } from './create-call.js';
import { epochMs } from './deadline.js';
import { HedgedChannelCall } from './hedged-channel-call.js';
import type { KnownMethod } from './method.js';

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

  createCall(...asked: CreateCall): GrpcJsCall {
    refuseWhatIsNoCall(asked);
    const [path] = asked;
    const known = this.methods.get(path);
    const policy = known?.policy ?? this.host.policies.of(path);
    const { hedge, timeoutMs } = policy;
    const init: CallInit = {
      ...callTerms(asked, this.host.clock, timeoutMs),
      policy,
      metadata: new Metadata(),
    };
    const call =
      hedge === undefined || known?.unary === false
        ? new ChannelCall(this.host, init, known?.unary === true)
        : new HedgedChannelCall(this.host, init, hedge);
    obeyParent(call, asked);
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
