import { AsyncResource } from 'node:async_hooks';
import { type Channel, type ChannelInterface, connectivityState } from '@grpc/grpc-js';
import type { CreateCall, GrpcJsCall } from '../../base/grpc-js/call.js';
import { type CallHost, type CallInit, NO_METADATA, type PolicyHost } from './call-host.js';
import { ChannelCall } from './channel-call.js';
import type { Connectivity, PoolConnectivity } from './connectivity.js';
import { callTerms, ParentLink, refuseWhatIsNoCall } from './create-call.js';
import { msUntil } from './deadline.js';
import { HedgedChannelCall } from './hedged-channel-call.js';
import { tell } from './hooks.js';
import type { KnownMethod } from './method.js';

/** What a channel needs of its pool beside calls. */
export interface ChannelHost extends CallHost, PolicyHost {
  readonly connectivity: Connectivity;
}

const CONNECTIVITY: Record<PoolConnectivity, connectivityState> = {
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
    return CONNECTIVITY[this.host.connectivity.state];
  }

  watchConnectivityState(
    currentState: connectivityState,
    deadline: Date | number,
    callback: (error?: Error) => void,
  ): void {
    const { clock, connectivity } = this.host;
    if (connectivity.state === 'shutdown') throw new Error('Channel has been shut down');
    const timeoutMs = msUntil(clock, 'deadline', deadline);
    const context = new AsyncResource('EvenkeelWatch');
    const end = (error: Error | undefined) => tell(context, undefined, callback, error);
    // Not in the turn of who asks.
    queueMicrotask(() =>
      connectivity.until(
        (state) => CONNECTIVITY[state] !== currentState,
        timeoutMs,
        (reached) =>
          end(reached ? undefined : new Error('Deadline passed without connectivity state change')),
      ),
    );
  }

  getChannelzRef(): ReturnType<ChannelInterface['getChannelzRef']> {
    return { kind: 'channel', id: -1, name: this.getTarget() } as ReturnType<
      ChannelInterface['getChannelzRef']
    >;
  }

  createCall(...asked: CreateCall): GrpcJsCall {
    refuseWhatIsNoCall(asked);
    const { host, methods } = this;
    const [path] = asked;
    const known = methods.get(path);
    const policy = known?.policy ?? host.policies.of(path);
    const init: CallInit = {
      ...callTerms(asked, host.clock, policy.timeoutMs),
      policy,
      metadata: NO_METADATA,
    };
    const parent = new ParentLink(asked, host.cancellations);
    return policy.hedge === undefined || known?.unary === false
      ? new ChannelCall(host, init, known, parent)
      : new HedgedChannelCall(host, init, policy.hedge, parent);
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
