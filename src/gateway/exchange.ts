import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import type { CallOptions } from '../balancer/stub.js';
import { callMetadata, responseHeaders, responseTrailers, timeoutOf } from './headers.js';
import type { Route } from './routes.js';

/** One HTTP request and its answer, once it is known which route they are on. */
export class Exchange {
  /** How long the client gives it, in milliseconds; undefined when it does not say. */
  readonly timeoutMs: number | undefined;
  /** The request for the server, as the function of the body that is left once the rest is known. */
  readonly encode: (body: string) => Buffer;
  /** Aborted when the client goes before the answer is complete. */
  readonly signal: AbortSignal;
  readonly #metadata: Metadata;
  #headers: Metadata | undefined;
  #status: StatusObject | undefined;

  /** @throws RequestError 400 for what can be seen to be wrong before there is a body. */
  constructor(
    readonly route: Route,
    segments: readonly string[],
    query: string,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    this.timeoutMs = timeoutOf(request);
    this.#metadata = callMetadata(request);
    this.encode = route.transcoder.request(segments, query);
    const gone = new AbortController();
    this.signal = gone.signal;
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
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
      timeoutMs: this.timeoutMs ?? timeoutMs,
      signal: this.signal,
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
    responseHeaders(this.#headers, headers);
    responseHeaders(this.#status?.metadata, headers);
  }

  /** Trailing metadata as HTTP trailers, for a client that asks for them (`TE: trailers`). */
  trailers(): Readonly<Record<string, string>> {
    const { te } = this.request.headers;
    if (te === undefined || this.#status === undefined || !String(te).includes('trailers')) return NONE;
    return responseTrailers(this.#status.metadata);
  }
}

const NONE: Readonly<Record<string, string>> = Object.freeze({});
