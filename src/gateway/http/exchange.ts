import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import type { CallOptions, ParentCall } from '../../balancer/calls/stub.js';
import type { Clock } from '../../base/clock.js';
import type { RawBody } from '../rules/http-body.js';
import { callMetadata } from './call-metadata.js';
import { timeoutOf } from './grpc-timeout.js';
import { Patience } from './patience.js';
import { responseHeaders, responseTrailers } from './response-headers.js';
import type { Route } from './routes.js';

/**
 * One HTTP request and its answer, once it is known which route they are on. To its call it is the parent: when the client
 * goes, the call is cancelled. That takes a field here, where an AbortSignal would take more than all the rest of this.
 */
export class Exchange implements ParentCall {
  /** Until when the client waits, in milliseconds since the epoch; undefined when it does not say. */
  readonly #deadline: number | undefined;
  /** The request for the server, as the function of the body that is left once the rest is known. */
  readonly encode: (body: string | RawBody) => Buffer;
  /** With the client of a stream. */
  readonly patience: Patience;
  /** The client has gone before the answer was complete. */
  cancelled = false;
  readonly #metadata: Metadata;
  #headers: Metadata | undefined = undefined;
  #status: StatusObject | undefined = undefined;
  #cancel: (() => void) | undefined = undefined;

  /** @throws RequestError 400 for what can be seen to be wrong before there is a body. */
  constructor(
    readonly route: Route,
    segments: readonly string[],
    query: string,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly clock: Clock,
    idleTimeoutMs: number,
  ) {
    this.patience = new Patience(clock, idleTimeoutMs);
    const timeoutMs = timeoutOf(request);
    this.#deadline = timeoutMs === undefined ? undefined : clock.epochNow() + timeoutMs;
    this.#metadata = callMetadata(request);
    this.encode = route.requests.request(segments, query);
  }

  /** The connection is closed, or the answer is complete. */
  closed(): void {
    if (this.response.writableFinished) return;
    this.cancelled = true;
    this.#cancel?.();
  }

  /** What the client says that its body is; '' when it does not. */
  get contentType(): string {
    return this.request.headers['content-type'] ?? '';
  }

  /** The answer is complete without the rest of the call. */
  abandon(): void {
    this.#cancel?.();
  }

  /** A call is told its deadline by its options. */
  getDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  on(_event: 'cancelled', listener: () => void): void {
    this.#cancel = listener;
  }

  off(): void {
    this.#cancel = undefined;
  }

  /** How long the client goes on waiting, in milliseconds; `otherwise` when it does not say. */
  timeLeftMs(otherwise: number): number {
    return this.#deadline === undefined ? otherwise : this.#deadline - this.clock.epochNow();
  }

  /** The same as a signal, for what comes before there is a call. */
  signal(): AbortSignal {
    const gone = new AbortController();
    this.on('cancelled', () => gone.abort());
    return gone.signal;
  }

  /**
   * What the call is started with.
   *
   * @param timeoutMs - for a client that says none; undefined for no bound.
   * @param headersCame - hears of the headers of the response.
   */
  callOptions(timeoutMs: number | undefined, headersCame?: () => void): CallOptions {
    return {
      metadata: this.#metadata,
      deadline: this.#deadline,
      timeoutMs: this.#deadline === undefined ? timeoutMs : undefined,
      parent: this,
      onMetadata: (metadata) => {
        this.#headers = metadata;
        headersCame?.();
      },
      onStatus: (status) => {
        this.#status = status;
      },
    };
  }

  /** Adds what the server has sent as metadata so far to the headers of the answer. */
  addHeaders(headers: Record<string, string>): void {
    if (this.#headers !== undefined) responseHeaders(this.#headers, headers);
    if (this.#status !== undefined) responseHeaders(this.#status.metadata, headers);
  }

  /** Trailing metadata as HTTP trailers, for a client that asks for them (`TE: trailers`). */
  trailers(): Readonly<Record<string, string>> {
    const { te } = this.request.headers;
    if (te === undefined || this.#status === undefined || !String(te).includes('trailers')) return NONE;
    return responseTrailers(this.#status.metadata);
  }
}

const NONE: Readonly<Record<string, string>> = Object.freeze({});
