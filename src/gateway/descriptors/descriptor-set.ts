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

/**
 * Reads a serialized `google.protobuf.FileDescriptorSet`, as `buf build -o image.binpb` or `protoc --include_imports -o
 * image.binpb` write it.
 *
 * @throws {@link BalancerError} INVALID_OPTION for what is none, or does not hold all that it imports.
 */
export function readDescriptors(bytes: Uint8Array): Descriptors {
  let set: FileDescriptorSet;
  try {
    set = fromBinary(FileDescriptorSetSchema, bytes);
  } catch (error) {
    throw invalid(`these ${bytes.length} bytes are not a FileDescriptorSet: ${asError(error).message}`);
  }
  return descriptorsOf(set);
}

/** The same from a set in memory. */
export function descriptorsOf(set: FileDescriptorSet): Descriptors {
  if (set.file.length === 0) throw invalid('the FileDescriptorSet is empty');
  const names = new Set(set.file.map(({ name }) => name));
  for (const { name, dependency } of set.file) {
    const missing = dependency.find((file) => !names.has(file));
    if (missing !== undefined) {
      throw invalid(
        `the FileDescriptorSet holds ${name} and not ${missing}, which it imports: ` +
          'write it by "buf build -o FILE", or by "protoc --include_imports -o FILE"',
      );
    }
  }
  let files: FileRegistry;
  try {
    files = createFileRegistry({ ...set, file: importsFirst(set.file) });
  } catch (error) {
    throw invalid(`the FileDescriptorSet cannot be read: ${asError(error).message}`);
  }
  const services = [...files].filter((type) => type.kind === 'service');
  return {
    files,
    types: createRegistry(file_google_rpc_error_details, files),
    services: services
      .filter(({ typeName }) => !OF_THE_SERVER.test(typeName))
      .sort((a, b) => (a.typeName < b.typeName ? -1 : 1)),
  };
}

/** In the order that the registry needs: compilers keep to it, servers that reflect need not. */
function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto, importedBy: readonly string[]) => {
    if (ordered.has(file)) return;
    if (importedBy.includes(file.name)) {
      throw invalid(`the FileDescriptorSet has a cycle of imports: ${[...importedBy, file.name].join(', ')}`);
    }
    for (const name of file.dependency) add(byName.get(name)!, [...importedBy, file.name]);
    ordered.add(file);
  };
  for (const file of byName.values()) add(file, []);
  return [...ordered];
}

function invalid(message: string): BalancerError {
  return new BalancerError('INVALID_OPTION', message);
}
