import { fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService as V1,
} from '../../../generated/grpc/reflection/v1/reflection.js';
import { ServerReflectionService as V1Alpha } from '../../../generated/grpc/reflection/v1alpha/reflection.js';
import { CallError } from '../../balancer/calls/call-error.js';
import type { CallOptions } from '../../balancer/calls/stub.js';
import type { Pool } from '../../balancer/pool/pool.js';
import { asError, BalancerError, Status } from '../../base/errors.js';
import { type DescriptorOptions, type Descriptors, descriptorsOf, OF_THE_SERVER } from './descriptor-set.js';
import { withoutImports } from './imports.js';
import { Questions } from './questions.js';
import { relink } from './relink.js';

/**
 * Asks a server of the pool for the descriptors of its services, by gRPC server reflection: v1, or v1alpha where there is no
 * v1.
 *
 * A file that is imported may be one that the server does not have, as long as no type of it is needed: grpc-java and others leave
 * out what is imported for options only.
 *
 * @param options - of the call; give it a time.
 * @returns the services that the server says it has: there may be others in the same files.
 * @throws {@link BalancerError} INVALID_OPTION when the server has no reflection, or does not tell all; NO_ENDPOINTS or
 *   DEADLINE when none is READY in time. CallError when the call fails otherwise.
 */
export async function reflectDescriptors(
  pool: Pool,
  options: CallOptions,
  { skip }: DescriptorOptions = {},
): Promise<Descriptors> {
  for (const service of [V1, V1Alpha]) {
    try {
      return await converse((questions) => pool.stub(service).serverReflectionInfo(questions, options), skip);
    } catch (error) {
      if (!(error instanceof CallError && error.code === Status.UNIMPLEMENTED)) throw error;
    }
  }
  const { service } = pool.snapshot();
  throw new BalancerError(
    'INVALID_OPTION',
    `the servers of ${service} have no gRPC server reflection: add it to them, or give their descriptors in a file`,
  );
}

type Call = (
  questions: AsyncIterable<ServerReflectionRequest>,
) => AsyncGenerator<ServerReflectionResponse, void, undefined>;

/** Asks for the services, for the files that hold them, and for what those import, until nothing is missing. */
async function converse(call: Call, skip: DescriptorOptions['skip']): Promise<Descriptors> {
  const questions = new Questions();
  const files = new Map<string, FileDescriptorProto>();
  const asked = new Set<string>();
  const listed = new Set<string>();
  /** Files that the server does not have, and what it says of them. */
  const untold = new Map<string, string>();
  questions.ask({ listServices: '' });
  for await (const answer of call(questions)) {
    const question = questions.answered();
    const { errorResponse, listServicesResponse, fileDescriptorResponse } = answer;
    if (errorResponse !== undefined) {
      const { fileByFilename, fileContainingSymbol } = question;
      if (fileByFilename !== undefined) {
        untold.set(fileByFilename, errorResponse.errorMessage);
      } else {
        const what = fileContainingSymbol ?? 'its services';
        const reason = `the server does not tell of ${what} by reflection: ${errorResponse.errorMessage}`;
        if (skip === undefined || fileContainingSymbol === undefined) throw invalid(reason);
        skip(reason);
      }
    }
    for (const { name } of listServicesResponse?.service ?? []) {
      if (OF_THE_SERVER.test(name) || listed.has(name)) continue;
      listed.add(name);
      questions.ask({ fileContainingSymbol: name });
    }
    const told = (fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    for (const file of told) files.set(file.name, file);
    // Servers may send what a file imports together with it, and need not.
    for (const name of told.flatMap(({ dependency }) => dependency)) {
      if (files.has(name) || asked.has(name)) continue;
      asked.add(name);
      questions.ask({ fileByFilename: name });
    }
    questions.goOn();
  }
  return described([...files.values()], listed, untold, skip);
}

function described(
  files: readonly FileDescriptorProto[],
  listed: ReadonlySet<string>,
  untold: ReadonlyMap<string, string>,
  skip: DescriptorOptions['skip'],
): Descriptors {
  const told = relink(files).map((file) => withoutImports(file, (name) => untold.has(name)));
  let all: Descriptors;
  try {
    all = descriptorsOf(told, { skip });
  } catch (error) {
    const [missing] = untold;
    if (missing === undefined) throw error;
    const [name, reason] = missing;
    throw invalid(
      `the server does not tell of ${name} by reflection: ${reason}; without it, ${asError(error).message}`,
    );
  }
  return { ...all, services: all.services.filter(({ typeName }) => listed.has(typeName)) };
}

function invalid(message: string): BalancerError {
  return new BalancerError('INVALID_OPTION', message);
}
