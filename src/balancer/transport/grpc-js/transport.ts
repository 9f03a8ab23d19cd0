import {
  type ChannelCredentials,
  type ChannelInterface,
  Client,
  type ClientOptions,
  connectivityState,
  credentials as grpcCredentials,
  Metadata,
} from '@grpc/grpc-js';
import type { Clock } from '../../../base/clock.js';
import type { Endpoint } from '../../../base/endpoint.js';
import { BalancerError } from '../../../base/errors.js';
import { TrackedCredentials } from '../../../base/grpc-js/tracked-credentials.js';
import { type Linked, LinkedList } from '../../../base/linked-list.js';
import type { ConnectivityEvent } from '../../table/row.js';

/** A call on the wire: grpc-js's own, which its types call opaque. `test/calls/grpc-js-contract.test.ts` pins its shape. */
export type WireCall = ReturnType<ChannelInterface['createCall']>;

/** More microtasks than grpc-js 1.14 takes from the start of a call to its first attempt. */
const MAX_MICROTASKS = 32;

/**
 * Cancels a call in such a way that it stays cancelled. Between the start of a call and its first attempt, which are
 * microtasks apart, grpc-js forgets a cancellation: it tells of the end, and then opens a stream all the same, which
 * nobody ends and which the server serves. So the attempt is waited for, of which the peer tells.
 */
export async function cancelOnceUnderWay(wire: WireCall, target: string, cancel: () => void): Promise<void> {
  for (let waited = 0; waited < MAX_MICROTASKS && wire.getPeer() === target; waited++) await undefined;
  cancel();
}

/** Whoever holds a connection open: a call, or a pick by hand. */
export interface Holder extends Linked {
  /** Whether it is known to want one answer only, so that a long silence means something. */
  readonly unary: boolean;
  /** When it was picked, in monotonic milliseconds. */
  readonly startedAt: number;
  /** A pick by hand, whose caller may make calls until it is released. */
  readonly byHand: boolean;
  /** The endpoint has drained for long enough: end now, with UNAVAILABLE. */
  cut(details: string): void;
}

/**
 * One connection to one address: the port through which calls reach the wire. grpc-js stands behind it here, a fake in
 * the tests; another transport may one day.
 */
export interface Connection {
  /** What a call's `getPeer()` says until a stream has been opened for it. */
  readonly target: string;
  /** Starts to connect, or wakes a connection that was lost. Its events follow, never synchronously. */
  connect(): void;
  createCall(...call: Parameters<ChannelInterface['createCall']>): WireCall;
  /**
   * Counts the holder until `release`; a pick by hand keeps the connection open, even when it is retired meanwhile. Returns
   * the one to make the call on and to release: itself, or a member of a group.
   */
  hold(holder: Holder): Connection;
  release(holder: Holder): void;
  /** How many hold it. */
  readonly held: number;
  /**
   * Makes no more of it. Closes at once, unless a pick by hand holds it, and then with the last: calls that have a stream
   * finish, on a connection that is there until they have, and those that have none yet, for want of credentials say, fail
   * as never sent.
   */
  retire(): void;
  /** When the oldest unary call began that is still without an answer. */
  oldestCallAt(): number | undefined;
  /** Ends every holder. */
  cut(details: string): void;
}

/** Makes connections. `listener` hears of one until it is retired. */
export type Transport = (endpoint: Endpoint, listener: (event: ConnectivityEvent) => void) => Connection;

export interface GrpcTransportOptions {
  readonly clock: Clock;
  /** Default: insecure. */
  readonly credentials?: ChannelCredentials | ((endpoint: Endpoint) => ChannelCredentials) | undefined;
  /** Over ours, see {@link CHANNEL_OPTIONS}. */
  readonly channelOptions?: ClientOptions | undefined;
}

/**
 * What a client of its own for each address wants of grpc-js 1.14:
 * - subchannels of its own: the global pool never forgets a key, and would share a stuck connection;
 * - no retries inside: they go to the same backend, and refused streams must surface here;
 * - no channelz and no service config from DNS: work that nobody reads;
 * - keepalive pings while calls are pending, just rarer than the five minutes for which grpc-go's servers, by default,
 *   answer `too_many_pings` (google.golang.org/grpc/keepalive, EnforcementPolicy.MinTime);
 * - no idling: the pool decides what is connected (the largest timeout that a timer takes).
 */
export const CHANNEL_OPTIONS: ClientOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_time_ms': 310_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
};

/** How long the question why a connection failed may take, in milliseconds. */
const EXPLAIN_TIMEOUT_MS = 1_000;

/** Connections by grpc-js: one client each. */
export function grpcTransport(options: GrpcTransportOptions): Transport {
  return (endpoint, listener) => {
    const { credentials } = options;
    const forEndpoint = typeof credentials === 'function' ? credentials(endpoint) : credentials;
    const tracked = new TrackedCredentials(forEndpoint ?? grpcCredentials.createInsecure());
    const client = new Client(endpoint.address, tracked, { ...CHANNEL_OPTIONS, ...options.channelOptions });
    return new GrpcConnection(endpoint.address, client, tracked, options.clock, listener);
  };
}

class GrpcConnection implements Connection {
  readonly target: string;
  readonly #channel: ChannelInterface;
  readonly #unary = new LinkedList<Holder>();
  readonly #others = new LinkedList<Holder>();
  #picks = 0;
  #watching = false;
  #wasReady = false;
  #retired = false;
  #closed = false;

  constructor(
    private readonly address: string,
    private readonly client: Client,
    private readonly credentials: TrackedCredentials,
    private readonly clock: Clock,
    private readonly listener: (event: ConnectivityEvent) => void,
  ) {
    this.#channel = client.getChannel();
    this.target = this.#channel.getTarget();
  }

  connect(): void {
    // Asking a closed channel for its state with `true` would bring it back to life.
    if (this.#retired) return;
    // Whoever asks does not know that it is READY, though a call may have woken it meanwhile.
    this.#wasReady = false;
    const state = this.#channel.getConnectivityState(true);
    if (!this.#watching) this.#watch(state);
    // A watch tells of changes only: what has been reached already is told here.
    queueMicrotask(() => {
      if (!this.#retired) this.#heard(state);
    });
  }

  createCall(...call: Parameters<ChannelInterface['createCall']>): WireCall {
    return this.#channel.createCall(...call);
  }

  hold(holder: Holder): Connection {
    (holder.unary ? this.#unary : this.#others).push(holder);
    if (holder.byHand) this.#picks++;
    return this;
  }

  release(holder: Holder): void {
    (holder.unary ? this.#unary : this.#others).delete(holder);
    if (holder.byHand) this.#picks--;
    if (this.#retired) this.#closeWhatIsOver();
  }

  retire(): void {
    this.#retired = true;
    this.#closeWhatIsOver();
  }

  cut(details: string): void {
    for (const holders of [this.#unary, this.#others]) {
      for (let holder = holders.first; holder !== undefined; ) {
        // `cut` may release the holder, and with it its links.
        const next = holder.after as Holder | undefined;
        holder.cut(details);
        holder = next;
      }
    }
  }

  oldestCallAt(): number | undefined {
    return this.#unary.first?.startedAt;
  }

  get held(): number {
    return this.#unary.size + this.#others.size;
  }

  /** One watch at a time, without a deadline: it cannot be cancelled, and fires at close. */
  #watch(from: connectivityState): void {
    this.#watching = true;
    this.#channel.watchConnectivityState(from, Number.POSITIVE_INFINITY, () => {
      this.#watching = false;
      if (this.#retired) return;
      const state = this.#channel.getConnectivityState(false);
      this.#watch(state);
      this.#heard(state);
    });
  }

  #heard(state: connectivityState): void {
    if (state === connectivityState.READY) {
      if (this.#wasReady) return;
      this.#wasReady = true;
      this.listener({ kind: 'ready' });
    } else if (this.#wasReady) {
      this.#wasReady = false;
      this.listener({ kind: 'lost' });
    } else if (state === connectivityState.TRANSIENT_FAILURE) {
      this.#explain();
    }
  }

  /**
   * A channel does not say why it failed, but a call on one that has failed ends at once, unsent, with the reason in
   * its details.
   */
  #explain(): void {
    const deadline = this.clock.epochNow() + EXPLAIN_TIMEOUT_MS;
    const call = this.#channel.createCall('/evenkeel.Explain/Failure', deadline, null, null, null);
    call.start(new Metadata(), {
      onReceiveMetadata() {},
      onReceiveMessage() {},
      onReceiveStatus: ({ details }) => {
        if (this.#retired) return;
        const why = details.replace(/\. Resolution note: $/, '');
        const cause = new BalancerError('CONNECT_FAILED', `${this.address}: ${why}`);
        this.listener({ kind: 'failed', cause });
      },
    });
  }

  /** The channel closes with the last pick, its sockets with the last call: one that has a stream goes on on them. */
  #closeWhatIsOver(): void {
    if (this.#picks > 0) return;
    if (!this.#closed) {
      this.#closed = true;
      this.client.close();
    }
    if (this.held === 0) this.credentials.endSockets();
  }
}
