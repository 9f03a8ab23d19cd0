import { connect } from 'node:net';
import { type DescService, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import {
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
import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import type { PoolOptions } from '../../src/balancer/pool/options.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import {
  type Descriptors,
  type GatewayServerOptions,
  gatewayServer,
  readDescriptors,
} from '../../src/gateway/index.js';
import { MemoryRegistry } from '../../src/registry/memory.js';
import type { Registrar } from '../../src/registry/registry.js';
import { staticRegistry } from '../../src/registry/static.js';
import { image } from '../support/image.js';

let shelf: Descriptors | undefined;

/** The descriptors of test/gateway/protos, compiled once for a test file. */
export function testDescriptors(): Descriptors {
  shelf ??= readDescriptors(image('tests'));
  return shelf;
}

export type Unary = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;
export type Readable = (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;
export type Writable = (call: ServerWritableStream<Buffer, Buffer>) => void;
export type Duplex = (call: ServerDuplexStream<Buffer, Buffer>) => void;

/** Handlers of methods by name, on bytes. */
export type Handlers = Readonly<Record<string, Unary | Readable | Writable | Duplex>>;

/** Answers a request with itself, or, where the types differ, with an empty message. */
const mirror =
  (same: boolean): Unary =>
  ({ request }, callback) =>
    callback(null, same ? request : Buffer.alloc(0));

/** A real server of the services, on bytes; unary methods without a handler answer with what they are asked. */
export async function serveBytes(
  services: readonly DescService[],
  handlers: Handlers = {},
  prepare: (server: Server) => void = () => {},
): Promise<{ readonly address: string; readonly server: Server }> {
  const server = new Server();
  for (const service of services) {
    const definitions: Record<string, MethodDefinition<Buffer, Buffer>> = {};
    const implementation: Record<string, UntypedHandleCall> = {};
    for (const method of service.methods) {
      const handler = handlers[method.name];
      if (handler === undefined && method.methodKind !== 'unary') continue;
      definitions[method.name] = {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.proto.clientStreaming,
        responseStream: method.proto.serverStreaming,
        requestSerialize: (bytes) => bytes,
        requestDeserialize: (bytes) => bytes,
        responseSerialize: (bytes) => bytes,
        responseDeserialize: (bytes) => bytes,
      };
      implementation[method.name] = (handler ?? mirror(method.input === method.output)) as UntypedHandleCall;
    }
    if (Object.keys(definitions).length > 0) server.addService(definitions, implementation);
  }
  prepare(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, server };
}

/** A message of the test protos as its bytes, from its JSON. */
export function encode(type: string, json: JsonValue): Buffer {
  const { files, types } = testDescriptors();
  const message = files.getMessage(`test.gateway.v1.${type}`)!;
  return Buffer.from(toBinary(message, fromJson(message, json, { registry: types })));
}

/** And back. */
export function decode(type: string, bytes: Buffer): JsonValue {
  const { files, types } = testDescriptors();
  const message = files.getMessage(`test.gateway.v1.${type}`)!;
  return toJson(message, fromBinary(message, bytes), { registry: types });
}

export interface GatewayFixture {
  readonly url: string;
  readonly port: number;
  readonly pool: Pool;
  readonly app: FastifyInstance;
  /** What the gateway said that it did not expect. */
  readonly warnings: string[];
}

export interface FixtureOptions extends Partial<Omit<GatewayServerOptions, 'services'>> {
  readonly handlers?: Handlers;
  readonly pool?: Partial<PoolOptions>;
  /** Which test services. Default: all. */
  readonly services?: readonly string[];
  /** Default true. */
  readonly ready?: boolean;
  /** Where it listens. Default 127.0.0.1. */
  readonly host?: string;
}

/** A listening gateway over a real server of the test protos; both end with the test, which fails if the gateway warned. */
export async function startGateway({
  handlers,
  pool: poolOptions,
  services,
  ready = true,
  host,
  ...options
}: FixtureOptions = {}): Promise<GatewayFixture> {
  const descriptors = testDescriptors();
  const { address } = await serveBytes(descriptors.services, handlers);
  const pool = new Pool({ registry: staticRegistry([address]), service: 'shelf', ...poolOptions });
  return listen(
    pool,
    ready,
    {
      services: [{ pool, descriptors, ...(services && { services }) }],
      ...options,
    },
    host,
  );
}

/** A gateway to a pool, listening; both end with the test. */
export async function listen(
  pool: Pool,
  ready: boolean,
  options: GatewayServerOptions,
  host = '127.0.0.1',
): Promise<GatewayFixture> {
  const warnings: string[] = [];
  const logger = { info() {}, warn: (line: string) => void warnings.push(line) };
  const app = await gatewayServer({ docs: false, logger, ...options });
  onTestFinished(async () => {
    app.server.closeAllConnections();
    await app.close();
    await pool.close();
    if (warnings.length > 0) throw new Error(`the gateway warned: ${warnings.join('\n')}`);
  });
  const url = await app.listen({ host, port: 0 });
  if (ready) await pool.ready({ timeoutMs: 10_000 });
  return { url, port: Number(new URL(url).port), pool, app, warnings };
}

/** A registry in memory, and what announces to it; closed with the test. */
export function memoryRegistry(): { readonly registry: MemoryRegistry; readonly registrar: Registrar } {
  const registry = new MemoryRegistry();
  onTestFinished(() => registry.close());
  return { registry, registrar: registry };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the gateway says.
  readonly json: any;
}

/** One request by fetch; its JSON, when that is what came. */
export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  };
}

/**
 * Sends bytes as they are, and resolves with all that comes back until the connection ends.
 *
 * @param end - tells the server that nothing more will come: it then drops what it has not answered yet.
 */
export function sendRaw(port: number, bytes: string | Buffer, end = true): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' }, () =>
      end ? socket.end(bytes) : socket.write(bytes),
    );
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}
