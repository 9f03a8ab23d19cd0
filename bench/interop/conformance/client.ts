// The client that connectrpc's conformance runner drives: `client.js TRANSPORT SURFACE`. It reads which calls to make from
// standard input, and writes what became of each to standard output.
import { setTimeout as delay } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { Metadata } from '@grpc/grpc-js';
import { StatusSchema } from '../../../generated/google/rpc/status_pb.js';
import { asError, Status } from '../../../src/base/errors.js';
import {
  ClientCompatRequest,
  ClientCompatResponse,
} from '../generated/connectrpc/conformance/v1/client_compat.js';
import { Compression, StreamType } from '../generated/connectrpc/conformance/v1/config.js';
import {
  ConformanceServiceClient,
  type Header,
  type Error as WireError,
} from '../generated/connectrpc/conformance/v1/service.js';
import {
  channelCredentials,
  channelOptions,
  poolOf,
  type TransportName,
  type WireOptions,
} from '../support/wire.js';
import { delimited, withSize } from './delimited.js';
import { overClient } from './over-client.js';
import { overStub } from './over-stub.js';
import { type Cancel, definitionOf, type MakeCall, type Outcome, type Plan } from './plan.js';

/** Makes a call against the server at an address. `bare` is a grpc-js client without a pool. */
type Surface = (address: string, wire: WireOptions, make: (call: MakeCall) => Promise<void>) => Promise<void>;

/** Deadlines of a fifth of a second are kept where there is time for them. */
const MAX_RUNNING = 4;
/** Below what the runner waits for a result, in milliseconds: 20 s, and then it says nothing of the call. */
const MAX_CALL_MS = 10_000;

function surfaceOf(name: string | undefined, transport: TransportName): Surface {
  return async (address, wire, make) => {
    if (name === 'bare') {
      const client = new ConformanceServiceClient(address, channelCredentials(wire), channelOptions(wire));
      await make(overClient(client));
      client.close();
      return;
    }
    await using pool = poolOf([address], transport, wire);
    await make(name === 'stub' ? overStub(pool) : overClient(pool.client(ConformanceServiceClient)));
  };
}

async function perform(request: ClientCompatRequest, surface: Surface): Promise<ClientCompatResponse> {
  const { testName } = request;
  try {
    const plan = planOf(request);
    const outcome: Outcome = { headers: undefined, answers: [], sent: 0, status: undefined };
    await surface(`${request.host}:${request.port}`, wireOf(request), (call) =>
      Promise.race([call(plan, outcome), tooLate()]),
    );
    return ClientCompatResponse.create({ testName, response: responseOf(plan, outcome) });
  } catch (thrown) {
    return ClientCompatResponse.create({ testName, error: { message: asError(thrown).stack ?? '' } });
  }
}

async function tooLate(): Promise<never> {
  await delay(MAX_CALL_MS, undefined, { ref: false });
  throw new Error(`the call did not end within ${MAX_CALL_MS / 1_000} s`);
}

function wireOf(request: ClientCompatRequest): WireOptions {
  const { compression, serverTlsCert: ca, clientTlsCreds: own, messageReceiveLimit } = request;
  return {
    ...(ca.length > 0 && { tls: { ca, cert: own?.cert, key: own?.key } }),
    compression:
      compression === Compression.COMPRESSION_GZIP
        ? 'gzip'
        : compression === Compression.COMPRESSION_DEFLATE
          ? 'deflate'
          : undefined,
    maxReceiveBytes: messageReceiveLimit > 0 ? messageReceiveLimit : undefined,
  };
}

function planOf(request: ClientCompatRequest): Plan {
  const name = request.method ?? '';
  const method = (name.charAt(0).toLowerCase() + name.slice(1)) as Plan['method'];
  const definition = definitionOf(method);
  const { requestDeserialize } = definition as unknown as { requestDeserialize(bytes: Buffer): unknown };
  return {
    method,
    metadata: metadataOf(request.requestHeaders),
    requests: request.requestMessages.map(({ value }) => requestDeserialize(value)),
    delayMs: request.requestDelayMs,
    timeoutMs: request.timeoutMs,
    cancel: cancelOf(request.cancel),
    fullDuplex: request.streamType === StreamType.STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM,
  };
}

function cancelOf(cancel: ClientCompatRequest['cancel']): Cancel {
  if (cancel?.beforeCloseSend !== undefined) return { kind: 'before-close' };
  if (cancel?.afterCloseSendMs !== undefined) return { kind: 'after-close', ms: cancel.afterCloseSendMs };
  if (cancel?.afterNumResponses !== undefined) {
    return { kind: 'after-responses', count: cancel.afterNumResponses };
  }
  return { kind: 'never' };
}

function responseOf({ requests }: Plan, { headers, answers, sent, status }: Outcome) {
  if (status === undefined) throw new Error('the call ended without a status');
  return {
    responseHeaders: headersOf(headers),
    payloads: answers.map(({ payload }) => payload ?? { data: Buffer.alloc(0), requestInfo: undefined }),
    error: status.code === Status.OK ? undefined : errorOf(status),
    responseTrailers: headersOf(status.metadata),
    numUnsentRequests: requests.length - sent,
  };
}

function errorOf({ code, details: message, metadata }: NonNullable<Outcome['status']>): WireError {
  const [bytes] = metadata.get('grpc-status-details-bin');
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  return {
    code,
    message,
    details: details.map(({ typeUrl, value }) => ({ typeUrl, value: Buffer.from(value) })),
  };
}

/** Values of `-bin` headers are in base64 on the runner's side. */
function metadataOf(headers: readonly Header[]): Metadata {
  const metadata = new Metadata();
  for (const { name, value } of headers) {
    for (const one of value) metadata.add(name, name.endsWith('-bin') ? Buffer.from(one, 'base64') : one);
  }
  return metadata;
}

function headersOf(metadata: Metadata | undefined): Header[] {
  return Object.keys(metadata?.getMap() ?? {}).map((name) => ({
    name,
    value: metadata!
      .get(name)
      .map((value) => (typeof value === 'string' ? value : value.toString('base64').replace(/=+$/, ''))),
  }));
}

const [transport, name] = process.argv.slice(2);
const surface = surfaceOf(name, transport as TransportName);
const running = new Set<Promise<void>>();
for await (const message of delimited(process.stdin)) {
  const answer = perform(ClientCompatRequest.decode(message), surface).then((response) => {
    process.stdout.write(withSize(ClientCompatResponse.encode(response).finish()));
  });
  running.add(answer);
  void answer.then(() => running.delete(answer));
  if (running.size >= MAX_RUNNING) await Promise.race(running);
}
await Promise.all(running);
