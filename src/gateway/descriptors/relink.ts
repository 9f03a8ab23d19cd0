import { protoCamelCase } from '@bufbuild/protobuf/reflect';
import {
  type DescriptorProto,
  type FileDescriptorProto,
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';

/** The package that is the same everywhere. */
const GOOGLE_PROTOBUF = [
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
].map(({ proto }) => proto);

/**
 * Writes out what descriptors may leave to be found: the names of types in full, an import of each file that holds one, and
 * the names of fields in JSON.
 *
 * Compilers do. Servers of grpc-node reflect what protobufjs has kept of their protos: one file for each package, with
 * names as they were written, no imports and no options (grpc/grpc-node #2595).
 *
 * @returns the files, those of google.protobuf as the library has them where a server has made one of them.
 */
export function relink(reflected: readonly FileDescriptorProto[]): readonly FileDescriptorProto[] {
  const ofGoogle = (file: FileDescriptorProto) =>
    file.package === 'google.protobuf' && !file.name.startsWith('google/protobuf/');
  const files = reflected.some(ofGoogle)
    ? [...reflected.filter((file) => !ofGoogle(file)), ...GOOGLE_PROTOBUF]
    : reflected;
  linkTypes(files);
  return files;
}

function linkTypes(files: readonly FileDescriptorProto[]): void {
  const holders = new Map<string, FileDescriptorProto>();
  for (const file of files) {
    for (const { name } of [...file.messageType, ...file.enumType])
      holders.set(join(file.package, name), file);
  }
  const types = new Set<string>(holders.keys());
  for (const file of files) for (const message of file.messageType) addNested(message, file.package, types);

  for (const file of files) {
    const full = (name: string, scope: string): string => {
      const found = name.startsWith('.') ? name.slice(1) : resolve(name, scope, types);
      const holder = holderOf(found, holders);
      if (holder !== undefined && holder !== file && !file.dependency.includes(holder.name)) {
        file.dependency.push(holder.name);
      }
      return `.${found}`;
    };
    for (const message of file.messageType) relinkMessage(message, file.package, full);
    for (const field of file.extension) {
      field.extendee = full(field.extendee, file.package);
      if (field.typeName !== '') field.typeName = full(field.typeName, file.package);
    }
    for (const { name, method } of file.service) {
      for (const each of method) {
        each.inputType = full(each.inputType, join(file.package, name));
        each.outputType = full(each.outputType, join(file.package, name));
      }
    }
  }
}

function relinkMessage(
  message: DescriptorProto,
  scope: string,
  full: (name: string, scope: string) => string,
): void {
  const own = join(scope, message.name);
  for (const field of [...message.field, ...message.extension]) {
    if (field.jsonName === '') field.jsonName = protoCamelCase(field.name);
    if (field.typeName !== '') field.typeName = full(field.typeName, own);
    if (field.extendee !== '') field.extendee = full(field.extendee, own);
  }
  for (const nested of message.nestedType) relinkMessage(nested, own, full);
}

function addNested({ name, nestedType, enumType }: DescriptorProto, scope: string, types: Set<string>): void {
  const own = join(scope, name);
  types.add(own);
  for (const each of enumType) types.add(join(own, each.name));
  for (const each of nestedType) addNested(each, own, types);
}

/** From the innermost scope outwards, as protobuf has it; the name itself when it is nowhere. */
function resolve(name: string, scope: string, types: ReadonlySet<string>): string {
  for (let within = scope; within !== ''; within = within.slice(0, Math.max(0, within.lastIndexOf('.')))) {
    if (types.has(`${within}.${name}`)) return `${within}.${name}`;
  }
  return name;
}

/** The file of a type: of the outermost message that holds it. */
function holderOf(
  type: string,
  holders: ReadonlyMap<string, FileDescriptorProto>,
): FileDescriptorProto | undefined {
  for (let name = type; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    const holder = holders.get(name);
    if (holder !== undefined) return holder;
  }
  return undefined;
}

function join(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}
