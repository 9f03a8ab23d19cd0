import type {
  Client,
  ClientReadableStream,
  ClientWritableStream,
  Metadata,
  ServiceError,
  StatusObject,
} from '@grpc/grpc-js';
import { Metadata as NewMetadata } from '@grpc/grpc-js';
import type { CallOptions, MethodDefinition, Requests, ServiceDefinition, Stub } from '../../../src/index.js';

type Made = ClientWritableStream<unknown> & ClientReadableStream<unknown>;
type Callback = (error: ServiceError | null, response?: unknown) => void;

/** A generated client in the form of a stub, so that what is tried on the one can be tried on the other. */
export function promised<Service extends ServiceDefinition>(client: Client, service: Service): Stub<Service> {
  const methods = Object.entries(service).map(([name, definition]) => {
    const make = (client as unknown as Record<string, (...args: unknown[]) => Made>)[name]!.bind(client);
    return [name, promisedMethod(make, definition)];
  });
  return Object.fromEntries(methods) as Stub<Service>;
}

function promisedMethod(
  make: (...args: unknown[]) => Made,
  { requestStream, responseStream }: MethodDefinition<never, unknown>,
) {
  const begin = (request: unknown, options: CallOptions, callback?: Callback): Made => {
    const { metadata = new NewMetadata(), timeoutMs } = options;
    const deadline = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    const args = [metadata, deadline, ...(callback === undefined ? [] : [callback])];
    const call = requestStream ? make(...args) : make(request, ...args);
    call.on('metadata', (headers: Metadata) => options.onMetadata?.(headers));
    call.on('status', (status: StatusObject) => options.onStatus?.(status));
    const { signal } = options;
    if (signal?.aborted) call.cancel();
    signal?.addEventListener('abort', () => call.cancel(), { once: true });
    if (requestStream) void send(call, request as Requests<unknown>);
    return call;
  };
  if (responseStream) {
    return async function* (request: unknown, options: CallOptions = {}) {
      const call = begin(request, options);
      try {
        yield* call;
      } finally {
        call.cancel();
      }
    };
  }
  return (request: unknown, options: CallOptions = {}) =>
    new Promise((resolve, reject) => {
      begin(request, options, (error, response) => (error === null ? resolve(response) : reject(error)));
    });
}

/** Sends what there is as fast as it is taken, until the end of the call. */
async function send(call: Made, requests: Requests<unknown>): Promise<void> {
  const ended = new Promise<'ended'>((resolve) => call.on('status', () => resolve('ended')));
  for await (const request of requests) {
    const written = new Promise<void>((resolve) => call.write(request, () => resolve()));
    if ((await Promise.race([written, ended])) === 'ended') return;
  }
  call.end();
}
