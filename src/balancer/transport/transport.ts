import type { CallCredentials, Metadata, StatusObject } from '@grpc/grpc-js';
import type { Endpoint } from '../../base/endpoint.js';
import type { Linked } from '../../base/linked-list.js';
import type { Reached } from '../core/attempt-outcome.js';
import type { ConnectivityEvent } from '../table/row.js';

export type { Reached };

// The port to the wire. Everything above it knows connections and calls by these interfaces alone. A transport is right
// when it passes `describeTransport` (test/balancer/transport/contract.ts), which asks of it what is written here.

/**
 * Makes one connection to the endpoint's address, which does nothing before it is told to {@link Connection.connect}.
 * `listener` hears of it until it is retired, never from within a call of one of its methods.
 *
 * Throws when there can be no connection: for credentials that cannot be read, say. The pool takes that for a connection
 * that failed, and tries again after its back-off.
 */
export type Transport = (endpoint: Endpoint, listener: (event: ConnectionEvent) => void) => Connection;

/** What a connection tells of itself. */
export type ConnectionEvent =
  | ConnectivityEvent
  /** {@link Connection.streamLimit} is another now. */
  | { readonly kind: 'stream-limit'; readonly limit: number };

/** One connection to one address: connected once, lost, connected again; until it is retired. */
export interface Connection {
  /** Starts to connect, or wakes a connection that was lost. Its events follow. */
  connect(): void;
  /**
   * Starts a call. Whatever is wrong with the call or the connection, this does not throw: the call ends, through its
   * listener, as one that never reached a server. On a connection that is not READY it may wait or fail, as the transport
   * likes; the pool starts calls on what was READY when it looked.
   *
   * @param timeoutMs - how long the call may take, from now; `Infinity` for as long as it likes. The transport tells the
   * server, and ends the call with DEADLINE_EXCEEDED by itself. A call that has no time left is not sent.
   */
  start(call: CallStart, timeoutMs: number, listener: CallListener): WireCall;
  /** Most calls that the server lets be open at a time (HTTP/2's MAX_CONCURRENT_STREAMS); `Infinity` while unknown. */
  readonly streamLimit: number;
  /**
   * Counts the holder until `release`; a pick by hand keeps the connection open, even when it is retired meanwhile. Returns
   * the one to make the call on and to release: itself, or a member of a group.
   */
  hold(holder: Holder): Connection;
  /** Once for every `hold`, on what that returned. */
  release(holder: Holder): void;
  /** How many hold it. */
  readonly held: number;
  /**
   * Makes no more of it. Closes at once, unless a pick by hand holds it, and then with the last: calls that have a stream
   * finish, on a connection that is there until they have, and those that have none yet, for want of credentials say, fail
   * as never sent.
   */
  retire(): void;
  /** The unary calls that are still without an answer, oldest first. To be read at once: it follows what changes. */
  unansweredCalls(): Iterable<Holder>;
  /** Ends every holder. */
  cut(details: string): void;
}

/** Whoever holds a connection open: a call, or a pick by hand. */
export interface Holder extends Linked {
  /** Whether it is known to want one answer only, so that a long silence means something. */
  readonly unary: boolean;
  /** When it was picked, in monotonic milliseconds. */
  readonly startedAt: number;
  /** The full method name, where it is one call. */
  readonly method: string | undefined;
  /** A pick by hand, whose caller may make calls until it is released. */
  readonly byHand: boolean;
  /** A call of our own that goes on beside the user's: it keeps no process alive. Default false. */
  readonly background?: boolean;
  /** The endpoint has drained for long enough: end now, with UNAVAILABLE. */
  cut(details: string): void;
}

/** What a call is started with. The transport reads it in `start`, and writes to nothing of it. */
export interface CallStart {
  /** The full method name, `/package.Service/Method`. */
  readonly path: string;
  /** Sent as it is when the call starts. */
  readonly metadata: Metadata;
  /** Of this call, beside those of the connection. */
  readonly credentials?: CallCredentials | undefined;
  /** What `:authority` says instead of the connection's own. */
  readonly authority?: string | undefined;
}

/**
 * A call on the wire. Messages go out in the order in which they are sent. Once the call has ended, or was cancelled, its
 * methods do nothing.
 */
export interface WireCall {
  /**
   * Sends a message, already serialized, which is not to be changed afterwards.
   *
   * @param onWritten - the connection has taken it: the time for the next, for those who mind how much lies in memory. Not
   * called from within `sendMessage`; perhaps never, when the call ends before.
   * @param compress - false: not compressed, though the connection compresses.
   */
  sendMessage(bytes: Buffer, onWritten?: () => void, compress?: boolean): void;
  /** There are no more messages. Once. */
  halfClose(): void;
  /** Asks for one more message. None comes that was not asked for, and the server is slowed down to that. */
  startRead(): void;
  /**
   * Ends the call with this status, which the listener hears in a later microtask, unless the call ends otherwise
   * before. A server that has the call is told; one that has not does not get it any more.
   */
  cancel(code: number, details: string): void;
  /** The address of the server, in the transport's words; undefined before the call is with one. */
  readonly peer: string | undefined;
  /** What TLS knows of the server, as grpc-js has it; undefined before the call is with one. */
  readonly authContext: object | null | undefined;
}

/**
 * Hears what comes of a call: headers at most once, messages, the status exactly once and last. In the order of the
 * wire, and never from within `start` or a method of the call. It must not throw.
 */
export interface CallListener {
  /** @param headers - gives them to whoever asks: most calls do not. */
  onHeaders(headers: () => Metadata): void;
  onMessage(bytes: Buffer): void;
  onStatus(status: WireStatus): void;
}

/** How a call ended, and what only the transport can know of it. */
export interface WireStatus extends StatusObject {
  readonly reached: Reached;
}
