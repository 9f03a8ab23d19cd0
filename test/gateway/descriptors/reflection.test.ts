import { fileURLToPath } from 'node:url';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { describe, expect, it } from 'vitest';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService as V1,
} from '../../../generated/grpc/reflection/v1/reflection.js';
import { ServerReflectionService as V1Alpha } from '../../../generated/grpc/reflection/v1alpha/reflection.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { reflectDescriptors } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { image } from '../../support/image.js';
import { listen, memoryRegistry, request, serveBytes, testDescriptors } from '../support.js';

/**
 * Server reflection over the test protos, as grpc-go has it: files one at a time, each as it was compiled.
 *
 * @param without - a file that the server does not have.
 * @param names - the services that it lists, beside its own.
 */
function reflect(
  server: Server,
  version: typeof V1 | typeof V1Alpha,
  without?: string,
  names = ['test.gateway.v1.Shelf', 'test.gateway.v1.Streams'],
): void {
  const { file } = fromBinary(FileDescriptorSetSchema, image('tests'));
  const files = file.filter(({ name }) => name !== without);
  const respond = ({ listServices, fileByFilename, fileContainingSymbol }: ServerReflectionRequest) => {
    if (listServices !== undefined) {
      return {
        listServicesResponse: {
          service: [...names, 'grpc.reflection.v1.ServerReflection'].map((name) => ({ name })),
        },
      };
    }
    const found = files.find(
      ({ name, service, package: of }) =>
        name === fileByFilename || service.some((each) => `${of}.${each.name}` === fileContainingSymbol),
    );
    return found === undefined
      ? { errorResponse: { errorCode: 5, errorMessage: 'not found' } }
      : { fileDescriptorResponse: { fileDescriptorProto: [bytesOf(found)] } };
  };
  server.addService(version, {
    serverReflectionInfo(call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) {
      call.on('data', (asked: ServerReflectionRequest) => {
        call.write({ validHost: '', originalRequest: asked, ...respond(asked) } as ServerReflectionResponse);
      });
      call.on('end', () => call.end());
    },
  });
}

const bytesOf = (file: FileDescriptorProto) => Buffer.from(toBinary(FileDescriptorProtoSchema, file));

async function poolOf(prepare: (server: Server) => void): Promise<Pool> {
  const { address } = await serveBytes(testDescriptors().services, {}, prepare);
  return new Pool({ registry: staticRegistry([address]), service: 'shelf' });
}

describe('reflectDescriptors', () => {
  it.each([
    ['v1', V1],
    ['v1alpha', V1Alpha],
  ] as const)('learns all from a server with %s, rules and comments included', async (_, version) => {
    const pool = await poolOf((server) => reflect(server, version));
    const descriptors = await reflectDescriptors(pool, { timeoutMs: 10_000 });
    expect(descriptors.services.map(({ typeName }) => typeName)).toEqual([
      'test.gateway.v1.Shelf',
      'test.gateway.v1.Streams',
    ]);
    const { url } = await listen(pool, true, { services: [{ pool, descriptors }] });
    expect((await request(`${url}/v1/mirror/a?timestamp=2020-01-01T00:00:00Z`)).json).toEqual({
      text: 'a',
      timestamp: '2020-01-01T00:00:00Z',
    });
  });

  const includeDirs = ['../protos', '../../../proto'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  it('learns from @grpc/reflection, which tells no rules', async () => {
    const pool = await poolOf((server) =>
      new ReflectionService(loadSync('test/gateway/v1/shelf.proto', { includeDirs })).addToServer(server),
    );
    const descriptors = await reflectDescriptors(pool, { timeoutMs: 10_000 });
    const { url } = await listen(pool, true, { services: [{ pool, descriptors }], all: true });
    const everything = {
      anInt64: '9007199254740993',
      colour: 'COLOUR_RED',
      counts: { a: 1 },
      maybe: '',
      book: { author: { givenName: 'x' } },
      any: { '@type': 'type.googleapis.com/test.gateway.v1.Book', title: 't' },
      timestamp: '2020-01-01T00:00:00Z',
      struct: { a: [null] },
      int64Value: '0',
    };
    const post = { method: 'POST', body: JSON.stringify(everything) };
    expect((await request(`${url}/test.gateway.v1.Shelf/Mirror`, post)).json).toEqual(everything);
  });

  it('says in one line that a server has no reflection', async () => {
    const pool = await poolOf(() => {});
    await expect(reflectDescriptors(pool, { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('the servers of shelf have no gRPC server reflection'),
    });
    await pool.close();
  });

  it('says which file a server does not tell of', async () => {
    const pool = await poolOf((server) => reflect(server, V1, 'google/api/http.proto'));
    await expect(reflectDescriptors(pool, { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('google/api/http.proto'),
    });
    await pool.close();
  });

  it('serves what the server lists, and no other service of the same files', async () => {
    const pool = await poolOf((server) => reflect(server, V1, '', ['test.gateway.v1.Streams']));
    const { services } = await reflectDescriptors(pool, { timeoutMs: 10_000 });
    expect(services.map(({ typeName }) => typeName)).toEqual(['test.gateway.v1.Streams']);
    await pool.close();
  });

  it('needs no file that is imported for options only', async () => {
    const pool = await poolOf((server) => reflect(server, V1, 'google/api/annotations.proto'));
    const descriptors = await reflectDescriptors(pool, { timeoutMs: 10_000 });
    const { url } = await listen(pool, true, { services: [{ pool, descriptors }] });
    // The rules are read all the same: what an option holds is in the file that has it.
    expect((await request(`${url}/v1/mirror/a`)).json).toEqual({ text: 'a' });
  });

  it('leaves out a service that the server does not tell of, when that is asked for', async () => {
    const names = ['test.gateway.v1.Shelf', 'no.Such'];
    const pool = await poolOf((server) => reflect(server, V1, '', names));
    const lines: string[] = [];
    const skip = (line: string) => lines.push(line);
    const { services } = await reflectDescriptors(pool, { timeoutMs: 10_000 }, { skip });
    expect(services.map(({ typeName }) => typeName)).toEqual(['test.gateway.v1.Shelf']);
    expect(lines).toEqual([expect.stringContaining('no.Such')]);
    await expect(reflectDescriptors(pool, { timeoutMs: 10_000 })).rejects.toMatchObject({
      message: expect.stringContaining('no.Such'),
    });
    await pool.close();
  });

  it('gives up when nothing is READY in time', async () => {
    const { registry } = memoryRegistry();
    const pool = new Pool({ registry, service: 'shelf' });
    await expect(reflectDescriptors(pool, { timeoutMs: 50 })).rejects.toMatchObject({
      cause: { code: 'NO_ENDPOINTS' },
    });
    await pool.close();
  });
});
