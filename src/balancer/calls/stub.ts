import type { CallCredentials, Metadata, StatusObject } from '@grpc/grpc-js';
import { asError, BalancerError, Status } from '../../base/errors.js';
import type { MethodPolicy } from '../core/policies.js';
import { type RetryOptions, retryPolicy } from '../core/retry-options.js';
import type { PickedCall } from './call.js';
import { CallError } from './call-error.js';
import {
  type CallHost,
  type CallInit,
  type CallStatus,
  NO_METADATA,
  noResponse,
  ownStatus,
  type PolicyHost,
} from './call-host.js';
import type { ParentCall } from './cancellations.js';
import { expiresAt } from './deadline.js';
import { HedgedCall } from './hedge.js';
import { callHook } from './hooks.js';
import { bytesOf, type MethodDefinition, policyOf, type ServiceDefinition } from './method.js';
import { ResponseStream } from './response-stream.js';
import { type Requests, StreamCall } from './stream-call.js';
import { UnaryCall } from './unary-call.js';

export type { ParentCall };

/** What a call may be given beside its request. */
export interface CallOptions {
  /** Sent with the call. Not changed by it. */
  readonly metadata?: Metadata | undefined;
  /** When the call must be over: a date, or milliseconds since the epoch. Waiting for a subchannel counts. */
  readonly deadline?: Date | number | undefined;
  /** The same, from now, in milliseconds. With both, the earlier holds. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** Credentials of this call, beside those of the connection. */
  readonly credentials?: CallCredentials | undefined;
  /** Overrides the `:authority` that is sent. */
  readonly authority?: string | undefined;
  /** Affinity, for the hashing pickers. */
  readonly key?: string | undefined;
  /** Which partition of the endpoints, for the grouping pickers. */
  readonly group?: string | undefined;
  /** Over what is declared of the method: when to try again, or `false` for never. */
  readonly retry?: RetryOptions | false | undefined;
  /** A server call that is being handled: its deadline holds for this one too, and its cancellation cancels it. */
  readonly parent?: ParentCall | undefined;
  /** Hears the response's headers, when they come. */
  readonly onMetadata?: ((metadata: Metadata) => void) | undefined;
  /** Hears how the call ended, with its trailing metadata, before its promise settles. */
  readonly onStatus?: ((status: StatusObject) => void) | undefined;
}

type StubMethod<M> =
  M extends MethodDefinition<infer Request, infer Response>
    ? M extends { readonly requestStream: true }
      ? M extends { readonly responseStream: true }
        ? (requests: Requests<Request>, options?: CallOptions) => AsyncGenerator<Response, void, undefined>
        : (requests: Requests<Request>, options?: CallOptions) => Promise<Response>
      : M extends { readonly responseStream: true }
        ? (request: Request, options?: CallOptions) => AsyncGenerator<Response, void, undefined>
        : (request: Request, options?: CallOptions) => Promise<Response>
    : never;

/**
 * A typed client of a service whose every call is picked. Calls with one response return a promise; calls with a
 * stream of them an async generator, which starts the call at its first `next()` and cancels it when it is left
 * early. All of them fail with a {@link CallError}.
 */
export type Stub<Service> = { readonly [M in keyof Service]: StubMethod<Service[M]> };

const NO_OPTIONS: CallOptions = Object.freeze({});

/** Makes a {@link Stub}. */
export function makeStub<Service extends ServiceDefinition>(host: StubHost, service: Service): Stub<Service> {
  const methods = Object.entries(service).map(([name, definition]) => [name, makeMethod(host, definition)]);
  return Object.fromEntries(methods) as Stub<Service>;
}

type StubHost = CallHost & PolicyHost;

interface Method<Request, Response> extends MethodDefinition<Request, Response> {
  readonly policy: MethodPolicy;
}

function makeMethod<Request, Response>(host: StubHost, definition: MethodDefinition<Request, Response>) {
  const method: Method<Request, Response> = { ...definition, policy: policyOf(host.policies, definition) };
  if (method.responseStream) {
    return method.requestStream
      ? (requests: Requests<Request>, options?: CallOptions) =>
          responses(host, method, options, (call) => call.run(requests))
      : (request: Request, options?: CallOptions) =>
          responses(host, method, options, (call) => call.runOne(serialize(method, request)));
  }
  return method.requestStream
    ? (requests: Requests<Request>, options?: CallOptions) => clientStream(host, method, requests, options)
    : (request: Request, options?: CallOptions) => unary(host, method, request, options);
}

// In these three the error of a failed call is made after an `await`, where V8 knows the caller that awaits.

async function unary<Request, Response>(
  host: StubHost,
  method: Method<Request, Response>,
  request: Request,
  options: CallOptions = NO_OPTIONS,
): Promise<Response> {
  const init = callInit(host, method, options);
  const bytes = serialize(method, request);
  if (init.policy.hedge !== undefined) return hedged(host, method, init, bytes, options);
  const call = new UnaryCall(host, init, bytes, method.responseDeserialize, options.onMetadata);
  const unbind = bind(host, call, options);
  await call.run();
  unbind?.();
  conclude(call, call.status!, options);
  return call.response!;
}

async function hedged<Request, Response>(
  host: StubHost,
  { responseDeserialize, policy }: Method<Request, Response>,
  init: CallInit,
  bytes: Buffer,
  options: CallOptions,
): Promise<Response> {
  const both = new HedgedCall(host, init, bytes, responseDeserialize, options.onMetadata, policy.hedge!);
  const unbind = bind(host, both, options);
  const call = await both.run();
  unbind?.();
  conclude(call, both.fault ?? call.status!, options);
  return call.response!;
}

async function clientStream<Request, Response>(
  host: StubHost,
  method: Method<Request, Response>,
  requests: Requests<Request>,
  options: CallOptions = NO_OPTIONS,
): Promise<Response> {
  const call = streamCall(host, method, options);
  const unbind = bind(host, call, options);
  call.run(requests);
  const response = await call.readOnly();
  unbind?.();
  const status = call.status!;
  const missing = status.code === Status.OK && response === undefined;
  conclude(call, missing ? noResponse(status) : status, options);
  return response!;
}

function responses<Request, Response>(
  host: StubHost,
  method: Method<Request, Response>,
  options: CallOptions = NO_OPTIONS,
  run: (call: StreamCall<Request, Response>) => void,
): AsyncGenerator<Response, void, undefined> {
  return new ResponseStream(() => {
    const call = streamCall(host, method, options);
    const unbind = bind(host, call, options);
    try {
      run(call);
    } catch (thrown) {
      unbind?.();
      throw thrown;
    }
    return { call, unbind, conclude: (status) => conclude(call, status, options) };
  });
}

function streamCall<Request, Response>(
  host: StubHost,
  method: Method<Request, Response>,
  options: CallOptions,
): StreamCall<Request, Response> {
  const init = callInit(host, method, options);
  return new StreamCall(host, init, method.requestSerialize, method.responseDeserialize, options.onMetadata);
}

function callInit(host: StubHost, method: Method<never, unknown>, options: CallOptions): CallInit {
  const { path, policy } = method;
  const { signal, parent, retry } = options;
  if (signal?.aborted || parent?.cancelled) {
    const details = parent?.cancelled ? 'Cancelled by parent call' : 'Cancelled on client';
    throw new CallError(ownStatus(Status.CANCELLED, details), path, undefined, signal?.reason);
  }
  const { timeoutMs } = policy;
  if (options === NO_OPTIONS) {
    return { path, expiresAt: expiresAt(host.clock, NO_OPTIONS, timeoutMs), metadata: NO_METADATA, policy };
  }
  const { metadata, credentials } = options;
  if (metadata !== undefined && typeof metadata.clone !== 'function') {
    throw new BalancerError('INVALID_OPTION', "metadata is not grpc-js's Metadata");
  }
  if (credentials !== undefined && typeof credentials.generateMetadata !== 'function') {
    throw new BalancerError('INVALID_OPTION', "credentials are not grpc-js's CallCredentials");
  }
  return {
    path,
    expiresAt: expiresAt(host.clock, options, timeoutMs),
    // As it is now: a call may wait before it is sent, or be sent again.
    metadata: metadata?.clone() ?? NO_METADATA,
    credentials,
    authority: options.authority,
    key: options.key,
    group: options.group,
    policy:
      retry === undefined ? policy : { ...policy, retry: retry === false ? undefined : retryPolicy(retry) },
  };
}

function serialize<Request>(method: MethodDefinition<Request, unknown>, request: Request): Buffer {
  try {
    return bytesOf(method.requestSerialize, request);
  } catch (thrown) {
    const details = `Request message serialization failure: ${asError(thrown).message}`;
    throw new CallError(ownStatus(Status.INTERNAL, details), method.path, undefined, thrown);
  }
}

/** Lets the signal and the parent cancel the call; returns what undoes that. */
function bind(
  { cancellations }: CallHost,
  call: { cancelWithStatus(code: number, details: string): void },
  { signal, parent }: CallOptions,
): (() => void) | undefined {
  if (signal === undefined && parent === undefined) return undefined;
  const cancel = (details: string) => () => call.cancelWithStatus(Status.CANCELLED, details);
  const fromSignal = signal && cancellations.onAbort(signal, cancel('Cancelled on client'));
  const fromParent = parent && cancellations.onParentCancelled(parent, cancel('Cancelled by parent call'));
  return () => {
    fromSignal?.();
    fromParent?.();
  };
}

/** Tells of the end of a call, and throws when it failed. */
function conclude(call: PickedCall, ended: CallStatus, { onStatus, signal }: CallOptions): void {
  const { code, details, metadata } = ended;
  const status = (onStatus && callHook('onStatus', onStatus, { code, details, metadata })) ?? ended;
  if (status.code === Status.OK) return;
  const aborted = status.code === Status.CANCELLED && signal?.aborted === true;
  throw new CallError(
    status,
    call.method,
    call.address,
    status.cause ?? (aborted ? signal.reason : undefined),
  );
}
