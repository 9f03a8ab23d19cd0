import { create, fromBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService as V1,
} from '../../../generated/grpc/reflection/v1/reflection.js';
import { ServerReflectionService as V1Alpha } from '../../../generated/grpc/reflection/v1alpha/reflection.js';
import { CallError } from '../../balancer/calls/call-error.js';
import type { CallOptions } from '../../balancer/calls/stub.js';
import type { Pool } from '../../balancer/pool/pool.js';
import { BalancerError, Status } from '../../base/errors.js';
import { type Descriptors, descriptorsOf, OF_THE_SERVER } from './descriptor-set.js';
import { relink } from './relink.js';

/** What a client of reflection asks for. */
type Question = Partial<ServerReflectionRequest>;

/**
 * Asks a server of the pool for the descriptors of its services, by gRPC server reflection: v1, or v1alpha where there is no
 * v1.
 *
 * @param options - of the call; give it a time.
 * @throws {@link BalancerError} INVALID_OPTION when the server has no reflection, or does not tell all; NO_ENDPOINTS or
 *   DEADLINE when none is READY in time. CallError when the call fails otherwise.
 */
export async function reflectDescriptors(pool: Pool, options: CallOptions): Promise<Descriptors> {
  for (const service of [V1, V1Alpha]) {
    try {
      return await converse((questions) => pool.stub(service).serverReflectionInfo(questions, options));
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
async function converse(call: Call): Promise<Descriptors> {
  const questions = new Questions();
  const files = new Map<string, FileDescriptorProto>();
  const asked = new Set<string>();
  questions.ask({ listServices: '' });
  for await (const answer of call(questions)) {
    const { errorResponse, listServicesResponse, fileDescriptorResponse, originalRequest } = answer;
    if (errorResponse !== undefined) {
      const what = originalRequest?.fileByFilename ?? originalRequest?.fileContainingSymbol ?? 'its services';
      throw new BalancerError(
        'INVALID_OPTION',
        `the server does not tell of ${what} by reflection: ${errorResponse.errorMessage}`,
      );
    }
    for (const { name } of listServicesResponse?.service ?? []) {
      if (!OF_THE_SERVER.test(name)) questions.ask({ fileContainingSymbol: name });
    }
    for (const bytes of fileDescriptorResponse?.fileDescriptorProto ?? []) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
    // Servers may send what a file imports together with it, and need not.
    for (const name of [...files.values()].flatMap(({ dependency }) => dependency)) {
      if (files.has(name) || asked.has(name)) continue;
      asked.add(name);
      questions.ask({ fileByFilename: name });
    }
    questions.answered();
  }
  return descriptorsOf(create(FileDescriptorSetSchema, { file: [...relink([...files.values()])] }));
}

/** Requests of one call, which ends when all are answered: each has exactly one response. */
class Questions implements AsyncIterable<ServerReflectionRequest> {
  readonly #unsent: ServerReflectionRequest[] = [];
  #unanswered = 0;
  #wake = () => {};

  ask(question: Question): void {
    this.#unsent.push({
      host: '',
      fileByFilename: undefined,
      fileContainingSymbol: undefined,
      fileContainingExtension: undefined,
      allExtensionNumbersOfType: undefined,
      listServices: undefined,
      ...question,
    });
    this.#unanswered += 1;
    this.#wake();
  }

  answered(): void {
    this.#unanswered -= 1;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServerReflectionRequest, void, undefined> {
    while (this.#unanswered > 0) {
      const question = this.#unsent.shift();
      if (question !== undefined) yield question;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
