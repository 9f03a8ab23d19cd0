import {
  createFileRegistry,
  createRegistry,
  type DescService,
  type FileRegistry,
  fromBinary,
  type Registry,
} from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { file_google_rpc_error_details } from '../../../generated/google/rpc/error_details_pb.js';
import { asError, BalancerError } from '../../base/errors.js';
import { keepComments } from './comments.js';
import { importsFirst, missingImport, withoutImports } from './imports.js';

/** Services that every server may have beside its own, and that no gateway is for. */
export const OF_THE_SERVER = /^grpc\.(?:health|reflection)\./;

/** The types of a service's protos: what its messages are mapped with. */
export interface Descriptors {
  readonly files: FileRegistry;
  /** For `Any`: those types, and the error details of google.rpc, which servers send without importing them. */
  readonly types: Registry;
  /** In order of name. */
  readonly services: readonly DescService[];
}

export interface DescriptorOptions {
  /** Hears why a file cannot be read, which is then left out, with what is in it; without, one such file is an error. */
  readonly skip?: ((reason: string) => void) | undefined;
}

/**
 * Reads a serialized `google.protobuf.FileDescriptorSet`, as `buf build -o image.binpb` or `protoc --include_imports -o
 * image.binpb` write it.
 *
 * @throws {@link BalancerError} INVALID_OPTION for what is none, or does not hold all that it imports.
 */
export function readDescriptors(bytes: Uint8Array, options: DescriptorOptions = {}): Descriptors {
  let set: FileDescriptorSet;
  try {
    set = fromBinary(FileDescriptorSetSchema, bytes);
  } catch (error) {
    throw invalid(`these ${bytes.length} bytes are not a FileDescriptorSet: ${asError(error).message}`);
  }
  for (const file of set.file) keepComments(file);
  if (set.file.length === 0) throw invalid('the FileDescriptorSet is empty');
  const missing = missingImport(set.file);
  if (missing === undefined) return descriptorsOf(set.file, options);
  const { importer, name } = missing;
  if (options.skip === undefined) {
    throw invalid(
      `the FileDescriptorSet holds ${importer} and not ${name}, which it imports: ` +
        'write it by "buf build -o FILE", or by "protoc --include_imports -o FILE"',
    );
  }
  const names = new Set(set.file.map((file) => file.name));
  return descriptorsOf(
    set.file.map((file) => withoutImports(file, (each) => !names.has(each))),
    options,
  );
}

/**
 * The same of files in memory.
 *
 * @param files - with all that they import.
 */
export function descriptorsOf(
  files: readonly FileDescriptorProto[],
  { skip }: DescriptorOptions = {},
): Descriptors {
  const registry = registryOf(files, skip);
  const services = [...registry].filter((type) => type.kind === 'service');
  return {
    files: registry,
    types: createRegistry(file_google_rpc_error_details, registry),
    services: services
      .filter(({ typeName }) => !OF_THE_SERVER.test(typeName))
      .sort((a, b) => (a.typeName < b.typeName ? -1 : 1)),
  };
}

function registryOf(files: readonly FileDescriptorProto[], skip: DescriptorOptions['skip']): FileRegistry {
  let left = importsFirst(files, (cycle) => {
    const what = `the FileDescriptorSet has a cycle of imports: ${cycle.join(', ')}`;
    if (skip === undefined) throw invalid(what);
    skip(what);
  });
  for (;;) {
    const reading = new Reading(left);
    try {
      return createFileRegistry({
        $typeName: 'google.protobuf.FileDescriptorSet',
        file: reading as unknown as FileDescriptorProto[],
      });
    } catch (error) {
      const { message } = asError(error);
      const { file } = reading;
      if (skip === undefined || file === undefined) {
        throw invalid(`the FileDescriptorSet cannot be read: ${message}`);
      }
      skip(`${file.name}: ${message}`);
      left = left
        .filter((each) => each !== file)
        .map((each) => withoutImports(each, (name) => name === file.name));
    }
  }
}

/** Files that know which of them is being read: the one that cannot be, when that ends with an error. */
class Reading implements Iterable<FileDescriptorProto> {
  file: FileDescriptorProto | undefined = undefined;

  constructor(private readonly files: readonly FileDescriptorProto[]) {}

  *[Symbol.iterator](): Generator<FileDescriptorProto, void, undefined> {
    for (this.file of this.files) yield this.file;
  }
}

function invalid(message: string): BalancerError {
  return new BalancerError('INVALID_OPTION', message);
}
