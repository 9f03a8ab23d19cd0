// Makes one call by one kind of client, and records all that the caller is shown of it.
import { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type CallOptions, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import type {
  EchoClient,
  EchoReply,
  EchoRequest,
  EchoService,
} from '../../../generated/evenkeel/echo/v1/echo.js';
import type { CallError } from '../../../src/balancer/calls/call-error.js';
import type { Stub, CallOptions as StubCallOptions } from '../../../src/balancer/calls/stub.js';
import { ACT, type Act, plain, RUN, type ScenarioServer } from './scenario-server.js';

export type Kind = keyof EchoService;
export const KINDS: readonly Kind[] = ['unary', 'serverStream', 'clientStream', 'bidi'];

/** A call, whoever makes it. What is made anew for each caller is a function. */
export interface Scenario {
  readonly act?: Act;
  /** Default: three echoes of `a`, `b` and `c`; a call with one request sends the first. */
  readonly requests?: readonly EchoRequest[];
  /** The request stream is not ended. */
  readonly keepOpen?: boolean;
  readonly cancel?: 'at once' | 'when the server has it' | 'at headers' | 'at a message';
  readonly metadata?: () => Metadata;
  readonly options?: () => Partial<CallOptions>;
}

/** A call being made: its name in the server's journal. */
export interface Run {
  readonly server: ScenarioServer;
  readonly name: string;
}

/** What a generated client shows, in order. A reply to a callback is a message, an error to it an error. */
export type Shown =
  | { readonly kind: 'metadata'; readonly metadata: object }
  | { readonly kind: 'message'; readonly message: object }
  | { readonly kind: 'error'; readonly message: string; readonly status: object }
  | { readonly kind: 'end' }
  | { readonly kind: 'status'; readonly status: object };

/** What a stub shows. */
export interface Told {
  readonly headers: object | undefined;
  readonly messages: readonly object[];
  readonly end: object;
}

export function request(payload: string | Buffer, more: Partial<EchoRequest> = {}): EchoRequest {
  return { payload: Buffer.from(payload), delayMs: 0, code: 0, details: '', count: 3, ...more };
}

const REQUESTS = [request('a'), request('b'), request('c')];

function inputs({ act = 'echo', requests = REQUESTS, metadata, options }: Scenario, { name }: Run) {
  const headers = metadata?.() ?? new Metadata();
  headers.set(ACT, act);
  headers.set(RUN, name);
  return { requests, metadata: headers, options: options?.() ?? {} };
}

/** Runs the scenario by a generated client, until the call has ended. The array goes on growing if it shows more. */
export async function driveClient(
  client: EchoClient,
  kind: Kind,
  scenario: Scenario,
  run: Run,
): Promise<Shown[]> {
  const { requests, metadata, options } = inputs(scenario, run);
  const shown: Shown[] = [];
  const show = (event: Shown) => {
    shown.push(event);
    if (event.kind === 'metadata' && scenario.cancel === 'at headers') call.cancel();
    if (event.kind === 'message' && scenario.cancel === 'at a message') call.cancel();
  };
  const failed = (error: ServiceError) =>
    show({
      kind: 'error',
      message: error.message.replace(error.details, '<details>'),
      status: statusOf(error),
    });
  const answered = (error: ServiceError | null, reply?: EchoReply) => {
    if (error !== null) failed(error);
    else show({ kind: 'message', message: messageOf(reply!) });
  };
  const calls = {
    unary: () => client.unary(requests[0]!, metadata, options, answered),
    serverStream: () => client.serverStream(requests[0]!, metadata, options),
    clientStream: () => client.clientStream(metadata, options, answered),
    bidi: () => client.bidi(metadata, options),
  };
  const call = calls[kind]();

  const over: Promise<unknown>[] = [];
  call.on('metadata', (headers: Metadata) => show({ kind: 'metadata', metadata: plain(headers) }));
  over.push(
    new Promise<void>((resolve) => {
      call.on('status', (status: StatusObject) => {
        show({ kind: 'status', status: statusOf(status) });
        resolve();
      });
    }),
  );
  if (call instanceof Readable) {
    call.on('data', (reply: EchoReply) => show({ kind: 'message', message: messageOf(reply) }));
    call.on('error', (error) => failed(error as ServiceError));
    over.push(
      new Promise<void>((resolve) => {
        call.on('end', () => {
          show({ kind: 'end' });
          resolve();
        });
      }),
    );
  }
  if (call instanceof Writable) {
    for (const message of requests) call.write(message);
    if (scenario.keepOpen !== true) call.end();
  }
  if (scenario.cancel === 'at once') call.cancel();
  if (scenario.cancel === 'when the server has it') {
    await hasArrived(kind, scenario, run);
    call.cancel();
  }
  await Promise.all(over);
  await turn();
  return shown;
}

/** The part of it that a stub can show, and must. */
export function toldBy(shown: readonly Shown[]): Told {
  const messages: object[] = [];
  let headers: object | undefined;
  let end: object | undefined;
  for (const event of shown) {
    if (event.kind === 'metadata') headers = event.metadata;
    if (event.kind === 'message') messages.push(event.message);
    // Where a client makes an error of a good status, that is how the call has ended for its caller.
    if (event.kind === 'error' || event.kind === 'status') end ??= event.status;
  }
  return { headers, messages, end: end! };
}

/** Runs the scenario by a stub. */
export async function driveStub(
  stub: Stub<EchoService>,
  kind: Kind,
  scenario: Scenario,
  run: Run,
): Promise<Told> {
  const { requests, metadata, options } = inputs(scenario, run);
  const abort = new AbortController();
  const messages: object[] = [];
  let headers: object | undefined;
  let end: object | undefined;
  const given: StubCallOptions = {
    metadata,
    signal: abort.signal,
    deadline: options.deadline,
    credentials: options.credentials,
    authority: options.host,
    parent: options.parent,
    onMetadata: (received) => {
      headers = plain(received);
      if (scenario.cancel === 'at headers') abort.abort();
    },
    onStatus: (status) => {
      end = statusOf(status);
    },
  };
  const take = (reply: EchoReply) => {
    messages.push(messageOf(reply));
    if (scenario.cancel === 'at a message') abort.abort();
  };
  const takeAll = async (replies: AsyncIterable<EchoReply>) => {
    for await (const reply of replies) take(reply);
  };
  const sent = scenario.keepOpen === true ? neverEnding(requests, abort.signal) : requests;
  const calls = {
    unary: () => stub.unary(requests[0]!, given).then(take),
    serverStream: () => takeAll(stub.serverStream(requests[0]!, given)),
    clientStream: () => stub.clientStream(sent, given).then(take),
    bidi: () => takeAll(stub.bidi(sent, given)),
  };
  const call = calls[kind]().catch((error: CallError) => error);
  if (scenario.cancel === 'at once') abort.abort();
  if (scenario.cancel === 'when the server has it') {
    await hasArrived(kind, scenario, run);
    abort.abort();
  }
  const error = await call;
  if (error instanceof Error) {
    const thrown = statusOf(error);
    // A call that its caller's mistake kept from being made has no status, only an error.
    end ??= thrown;
    if (JSON.stringify(thrown) !== JSON.stringify(end))
      throw new Error('the error is not the status', { cause: error });
  }
  return { headers, messages, end: end! };
}

/** Resolves when the server has all that the client sends. */
function hasArrived(
  kind: Kind,
  { requests = REQUESTS, keepOpen }: Scenario,
  { server, name }: Run,
): Promise<void> {
  const count = kind === 'unary' || kind === 'serverStream' ? 1 : requests.length;
  return server.saw(name, (entries) => {
    const messages = entries.filter((entry) => entry.kind === 'message').length;
    return messages === count && (keepOpen === true || entries.some((entry) => entry.kind === 'half-close'));
  });
}

async function* neverEnding(requests: readonly EchoRequest[], signal: AbortSignal) {
  yield* requests;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

function messageOf({ payload, seen }: EchoReply): object {
  return { bytes: payload.length, payload: payload.toString('latin1').slice(0, 20), seen };
}

function statusOf({ code, details, metadata }: StatusObject): object {
  // The server keeps deadlines as well, and may be the first to say so, in words and metadata of its own.
  if (details.startsWith(DEADLINE_EXCEEDED)) return { code, details: DEADLINE_EXCEEDED };
  return { code, details, metadata: plain(metadata) };
}

const DEADLINE_EXCEEDED = 'Deadline exceeded';
