// Real servers of the test protos, in a process of their own: they answer with what they are asked, or as a word in it says.
import type { EventEmitter } from 'node:events';
import {
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { Status } from '../../src/base/errors.js';
import { readDescriptors } from '../../src/gateway/index.js';
import { image } from '../../test/support/image.js';
import type { BackendReport } from './gateway-protocol.js';

const SERVERS = 3;
/** Longer than a client of the fuzz waits. */
const LONG_MS = 60_000;
/** More than the buffers on the way hold, of 20 kB each; then silence. */
const LARGE_MESSAGES = 400;
const GARBAGE = Buffer.from([0xff, 0x01, 0x02]);
const EMPTY = Buffer.alloc(0);

/** Calls that have begun and are not over. */
const open = new Set<EventEmitter>();

function begin(call: EventEmitter): void {
  open.add(call);
  const over = () => open.delete(call);
  call.once('close', over).once('cancelled', over);
}

/** What a request asks for by a word in it. */
function wishOf(request: Buffer): 'garbage' | 'fail' | 'long' | undefined {
  for (const wish of ['garbage', 'fail', 'long'] as const) if (request.includes(`wish-${wish}`)) return wish;
  return undefined;
}

const failure = { code: Status.NOT_FOUND, details: 'as it was wished', metadata: new Metadata() };

function unary(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
  begin(call);
  const end = () => open.delete(call);
  const wish = wishOf(call.request);
  if (wish === 'fail') callback(failure);
  else if (wish === 'long') {
    const timer = setTimeout(() => callback(null, EMPTY), LONG_MS);
    call.once('cancelled', () => clearTimeout(timer));
    return;
  } else callback(null, wish === 'garbage' ? GARBAGE : call.request);
  end();
}

function readable(call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
  begin(call);
  call.on('data', () => {});
  call.on('end', () => {
    open.delete(call);
    callback(null, EMPTY);
  });
  call.on('error', () => open.delete(call));
}

function writable(call: ServerWritableStream<Buffer, Buffer>): void {
  begin(call);
  const wish = wishOf(call.request);
  if (wish === 'fail') call.emit('error', failure);
  else {
    const large = Buffer.concat([Buffer.from([0x0a, 0xa0, 0x9c, 0x01]), Buffer.alloc(20_000, 'x')]);
    let left = LARGE_MESSAGES;
    const more = () => {
      while (!call.cancelled && left-- > 0 && call.write(large));
    };
    for (let i = 0; i < 3; i++) call.write(wish === 'garbage' && i === 1 ? GARBAGE : call.request);
    if (wish !== 'long') call.end();
    else {
      call.on('drain', more);
      more();
    }
  }
}

function duplex(call: ServerDuplexStream<Buffer, Buffer>): void {
  begin(call);
  call.on('data', (message: Buffer) => void call.write(message));
  call.on('end', () => call.end());
  call.on('error', () => open.delete(call));
}

const KINDS = {
  unary,
  client_streaming: readable,
  server_streaming: writable,
  bidi_streaming: duplex,
} as const;

async function serve(): Promise<string> {
  const server = new Server();
  const services = [image('tests'), image('odd')].flatMap((bytes) => readDescriptors(bytes).services);
  for (const service of services) {
    const definitions: Record<string, MethodDefinition<Buffer, Buffer>> = {};
    const implementation: Record<string, UntypedHandleCall> = {};
    for (const method of service.methods) {
      definitions[method.name] = {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.proto.clientStreaming,
        responseStream: method.proto.serverStreaming,
        requestSerialize: (bytes) => bytes,
        requestDeserialize: (bytes) => bytes,
        responseSerialize: (bytes) => bytes,
        responseDeserialize: (bytes) => bytes,
      };
      implementation[method.name] = KINDS[method.methodKind] as UntypedHandleCall;
    }
    server.addService(definitions, implementation);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

const addresses = await Promise.all(Array.from({ length: SERVERS }, serve));
process.once('disconnect', () => process.exit());
process.on('message', () => process.send?.({ open: open.size } satisfies BackendReport));
process.send?.({ addresses });
